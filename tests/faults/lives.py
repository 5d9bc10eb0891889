# SPDX-License-Identifier: LGPL-2.1-or-later
"""A VM's life, natively or in a container: what the moments of tests/faults/run happen to."""

import fcntl
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from processes import children, name_of

PROJECT = Path(__file__).resolve().parents[2]
# A guest under TCG, with others beside it, has its time.
PATIENCE = 300
# Programs that serve the VM's devices.
HELPERS = ["passt", "virtiofsd"]


class Violation(Exception):
    """Something that must never be seen."""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Life:
    """What is the same in both: the guest's counter, signals, patience."""

    def __init__(self, scratch, number):
        self.scratch, self.number = scratch, number
        self.out, self.err = scratch / "out", scratch / "err"
        self.heard = 0  # the last number that was heard by an ocivirt before this one
        self.booted = 0  # how often the guest had, by then

    def config(self, order, kernel, initrd, shared):
        """@shared: a folder, where ocivirt runs."""
        fast = (PROJECT / "build/guest/cmdline").read_text().split()
        return {
            "ociVersion": "1.3.0",
            "annotations": {
                "org.ocivirt.accel": "tcg",
                "org.ocivirt.memory": "128M",
                "org.ocivirt.cpus": "1",
                "org.ocivirt.stop-timeout": "40s",
                "org.ocivirt.publish": "none",
            },
            "mounts": [{"type": "bind", "source": shared, "destination": "/srv/shared",
                        "options": ["ro"]}],
            "vm": {
                "kernel": {
                    "path": kernel,
                    "initrd": initrd,
                    "parameters": [*fast, f"guest.order={order}"],
                }
            },
        }

    def sleep(self, seconds):
        time.sleep(seconds)

    @classmethod
    def replaces_passt(cls):
        """QEMU 8.0 and later connect to another one."""
        if not hasattr(cls, "qemu_major"):
            emulator = f"qemu-system-{os.uname().machine}"
            version = subprocess.run(
                [*cls.ELSEWHERE, emulator, "--version"], capture_output=True, text=True, check=True
            ).stdout
            cls.qemu_major = int(re.search(r"version (\d+)", version)[1])
        return cls.qemu_major >= 8

    def counts(self):
        self.read()
        text = self.out.read_bytes() if self.out.exists() else b""
        return [int(n) for n in re.findall(rb"^guest: count ([0-9]+)\r", text, re.MULTILINE)]

    def last_count(self):
        return (self.counts() or [0])[-1]

    def wait_for_count(self, number):
        deadline = time.monotonic() + PATIENCE
        while self.last_count() < number:
            if time.monotonic() > deadline:
                raise Violation(f"the guest does not count to {number}")
            if not self.is_running():
                raise Violation(f"ended before the guest counted to {number}")
            time.sleep(0.1)

    def processes(self, target):
        supervisor = self.supervisor_pid()
        if target == "supervisor":
            return [supervisor]
        below = children(supervisor)
        engines = [pid for pid in below if name_of(pid) == "ocivirt-engine"]
        if target == "engine":
            return engines
        if target in HELPERS:
            return [pid for pid in below if name_of(pid).startswith(target)]
        # While libvirt makes it, it is the engine's.
        return [p for p in [*below, *[c for e in engines for c in children(e)]] if is_qemu(p)]

    def hit(self, target, name):
        """Whether there was somebody to hit."""
        hit = False
        for pid in self.processes(target)[:1]:
            try:
                os.kill(pid, getattr(signal, "SIG" + name))
                hit = True
                if name == "SEGV" and target == "virtiofsd":
                    # Rust's runtime looks whether its stack is at its end, and goes on the first time.
                    time.sleep(0.1)
                    os.kill(pid, signal.SIGSEGV)
            except ProcessLookupError:
                pass
        return hit

    def boots(self):
        return len(re.findall(rb"^guest: ready", self.out.read_bytes(), re.MULTILINE))

    def is_adopted(self):
        """Whether this ocivirt goes on with the VM of another one; waits until it knows."""
        while self.is_running():
            words = self.all_words()
            if "still runs" in words or "guest running" in words:
                return "still runs" in words
            time.sleep(0.05)
        return "still runs" in self.all_words()

    def check_console(self):
        """Lost may be what an engine that died had read and not written: of this guest's, which counts
        ten times a second, a line or two. The number of these lines."""
        counts = self.counts()
        missing, booted = 0, self.boots()
        bearable = 2 * self.all_words().count("another one takes over")
        if counts and "still runs" in self.all_words():
            # What it said while nobody listened is lost.
            if counts[0] <= self.heard:
                raise Violation(f"the guest's counter goes from {self.heard} to {counts[0]}")
            counts = [count - counts[0] + 1 for count in counts]
            booted += self.booted
        for last, count in zip([0, *counts], counts):
            missing += max(0, count - last - 1)
            if count <= last or missing > bearable:
                raise Violation(f"the guest's counter goes from {last} to {count}")
        if booted > 1:
            raise Violation(f"the guest booted {booted} times")
        return missing

    def all_words(self):
        self.read()
        return self.err.read_text(errors="replace") if self.err.exists() else ""

    def words(self):
        return "\n".join(self.all_words().splitlines()[-12:])


def is_qemu(pid):
    return name_of(pid).startswith("qemu-system")


class Native(Life):
    ELSEWHERE = []  # how to execute something where ocivirt runs

    def __init__(self, scratch, number):
        super().__init__(scratch, number)
        # Short: there are sockets below it.
        self.root = Path(tempfile.mkdtemp(prefix="ocivirt-f.", dir="/tmp"))
        self.process = None

    def run(self, order, out, err):
        guest = PROJECT / "build/guest"
        bundle = self.scratch / order
        bundle.mkdir(exist_ok=True)
        config = self.config(order, f"{guest}/vmlinux", f"{guest}/initrd.img", str(bundle))
        (bundle / "config.json").write_text(json.dumps(config))
        ocivirt = os.environ.get("OCIVIRT", PROJECT / "build/ocivirt")
        command = [ocivirt, "run", "--bundle", bundle, "--root", self.root, "--id", "vm"]
        with open(out, "wb") as output, open(err, "wb") as errors:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )

    def start(self):
        self.process = self.run("count", self.out, self.err)

    def kill_both(self):
        """Supervisor and engine, at once: neither sees the other's end."""
        if not self.is_running():
            return
        self.process.send_signal(signal.SIGSTOP)  # or it would start another engine
        # An engine has its name a moment after its birth.
        engines = [pid for pid in children(self.process.pid) if name_of(pid).startswith("ocivirt")]
        for name in ("SIGSTOP", "SIGKILL"):
            for pid in [*engines, self.process.pid]:
                try:
                    os.kill(pid, getattr(signal, name))
                except ProcessLookupError:
                    pass
        self.process.wait()

    def go_on(self):
        """Another ocivirt, in the root directory of one that was killed."""
        if "guest running" in self.all_words():
            self.heard = self.booted = 0  # it had begun anew
        self.heard = self.last_count() or self.heard
        self.booted += self.boots()
        self.out, self.err = Path(f"{self.out}+"), Path(f"{self.err}+")
        self.start()

    def read(self):
        pass

    def is_running(self):
        return self.process.poll() is None

    def supervisor_pid(self):
        return self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def finish(self):
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Violation("it does not end") from None
        return status if status >= 0 else 128 - status

    def left(self):
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                # Of a helper, what it says goes to a log in there.
                words = (entry / "cmdline").read_bytes() + os.readlink(entry / "fd/2").encode()
                if str(self.root).encode() in words and is_alive(entry.name):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def check_left(self, tidy):
        # A guest whose supervisor was killed is ended in order.
        deadline = time.monotonic() + 90
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.left():
            raise Violation("left: " + ", ".join(f"{pid} {name_of(pid)}" for pid in self.left()))
        names = {entry.name for entry in self.root.iterdir()}
        if tidy and not names <= {"cache", "disks", "log"}:
            raise Violation(f"left in the root directory: {sorted(names)}")
        sockets = [path for path in self.root.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
        if sockets:
            raise Violation(f"left: {', '.join(map(str, sockets))}")
        lock = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Violation("the root directory is locked") from None
        finally:
            os.close(lock)

    def start_again(self):
        again = self.run("poweroff", self.scratch / "again", self.scratch / "again.err")
        try:
            status = again.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            again.kill()
            status = "none: it does not end"
        if status != 0:
            console = (self.scratch / "again").read_text(errors="replace")
            words = (self.scratch / "again.err").read_text() + console[-300:]
            raise Violation(f"the next start ends with status {status}: {words}")

    def clean(self):
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


class Container(Life):
    IMAGE = os.environ.get("IMAGE", "localhost/ocivirt:latest")
    ELSEWHERE = [PROJECT / "hack/podman", "run", "--rm", "--entrypoint", "env", IMAGE]

    def __init__(self, scratch, number):
        super().__init__(scratch, number)
        os.chmod(scratch, 0o755)
        self.name = f"ocivirt-faults-{os.getpid()}-{number}"
        self.pid = None

    def podman(self, *arguments, check=True, **keywords):
        command = [PROJECT / "hack/podman", *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise Violation(f"podman {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout.strip()

    def write(self, order):
        folder = "/usr/share/ocivirt/guest"
        config = self.config(order, f"{folder}/vmlinuz", f"{folder}/initrd.img", "/etc/ocivirt")
        (self.scratch / "config.json").write_text(json.dumps(config))

    def start(self):
        self.write("count")
        mount = f"{self.scratch}:/etc/ocivirt:ro"
        self.podman("run", "--detach", "--name", self.name, "--log-driver", "k8s-file",
                    "--volume", mount, self.IMAGE)
        facts = "{{.State.Pid}} {{.HostConfig.LogConfig.Path}}"
        pid, self.log = self.podman("inspect", self.name, "--format", facts).split(" ", 1)
        self.pid = int(pid)

    def read(self):
        """As `podman logs` does, which takes a hundred times as long."""
        streams = {b"stdout": b"", b"stderr": b""}
        for line in Path(self.log).read_bytes().split(b"\n")[:-1]:
            _, stream, kind, text = line.split(b" ", 3)  # kind P: the line goes on
            streams[stream] += text + (b"\n" if kind == b"F" else b"")
        self.out.write_bytes(streams[b"stdout"])
        self.err.write_bytes(streams[b"stderr"])

    def is_running(self):
        return is_alive(self.pid)

    def supervisor_pid(self):
        return self.pid

    def stop(self):
        self.podman("kill", "--signal", "TERM", self.name, check=False)

    def finish(self):
        deadline = time.monotonic() + PATIENCE
        while is_alive(self.pid):
            if time.monotonic() > deadline:
                raise Violation("it does not end")
            time.sleep(0.05)
        return int(self.podman("wait", self.name))

    def state(self):
        return self.podman("inspect", self.name, "--format", "{{.State.Status}}")

    def check_left(self, tidy):
        # podman notices a moment later.
        deadline = time.monotonic() + 30
        while (state := self.state()) != "exited":
            if time.monotonic() > deadline:
                raise Violation(f"the container is {state}")
            time.sleep(0.2)

    def start_again(self):
        self.write("poweroff")
        self.podman("start", self.name)
        status = int(self.podman("wait", self.name))
        if status != 0:
            raise Violation(f"the next start ends with status {status}")

    def clean(self):
        self.podman("rm", "--force", "--time", "0", "--ignore", self.name, check=False)
