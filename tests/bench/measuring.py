# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who takes which turn when, and what is noted down."""

import json
import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

from contenders import Ocivirt, RawQemu, VirtQemuRun
from report import progress
from running import ChildWatch, Run, Trouble, descendants, name_of

GUEST_MEMORY = "128M"

START_S = 60  # from exec to "guest: ready", on a slow machine without KVM
PID1_START_S = 150
END_S = 20  # for who was asked to end
HANGS_S = 5  # who has not noticed by then that the guest is off, never will

# Row → its title and unit, in the order of the table.
ROWS = {
    "running": ("exec → guest runs, warm cache", "ms"),
    "cold": ("exec → guest runs, cold cache", "ms"),
    "pid1": ("the same as PID 1, warm", "ms"),
    "pid1-cold": ("the same as PID 1, cold", "ms"),
    "userland": ("exec → first line of guest userland", "ms"),
    "poweroff": ("guest powers off → all gone", "ms"),
    "stop": ("stop signal → all gone", "ms"),
    "takeover": ("engine killed → the next has taken over", "ms"),
    "rss": ("memory beside QEMU: RSS", "MiB"),
    "pss": ("memory beside QEMU: PSS", "MiB"),
    "written": ("memory beside QEMU: private and written to", "MiB"),
}
GROUPS = {"memory": ["rss", "pss", "written"]}

# The environment variables that all contenders get.
KEPT = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")


class Bench:
    """After measure(): samples, row → contender's name → values (None: waited for in vain)."""

    def __init__(self, options, work):
        self.options = options
        self.work = work
        self.child_watch = ChildWatch()
        self.unshare = [shutil.which("unshare"), "--pid", "--fork", "--kill-child", "--mount-proc"]
        self.samples = {row: {} for row in ROWS}
        self.said = []  # (what ocivirt says itself, how long after RESUME it does), ms
        self.void_caches = {}  # contender's name → ms of warm starts that probed QEMU all the same
        self.remarks = []
        environment = {k: v for k, v in os.environ.items() if k in KEPT} | {"HOME": str(work)}
        program = str(Path(options.ocivirt).resolve())
        self.emulator = shutil.which(f"qemu-system-{platform.machine()}")
        self.ocivirt = Ocivirt(work, environment, program, self.make_bundle())
        self.raw = RawQemu(work, environment)
        self.contenders = [self.raw, self.ocivirt]
        shim = shutil.which("virt-qemu-run")
        if shim:
            xml = self.ocivirt.xml()
            self.contenders.append(VirtQemuRun(work, environment, shim, self.emulator, xml))

    def make_bundle(self):
        guest = Path(self.options.guest).resolve()
        chardev = f"socket,id=bench,path={self.work}/qmp.sock"
        monitor = ["-chardev", chardev, "-mon", "chardev=bench,mode=control"]
        config = {
            "ociVersion": "1.3.0",
            "annotations": {
                "org.ocivirt.accel": self.options.accel,
                "org.ocivirt.memory": GUEST_MEMORY,
                "org.ocivirt.cpus": "1",
            },
            "vm": {
                "hypervisor": {"path": self.emulator, "parameters": monitor},
                "kernel": {
                    "path": str(guest / "vmlinuz"),
                    "initrd": str(guest / "initrd.img"),
                    "parameters": [*(guest / "cmdline").read_text().split(), "guest.order=wait"],
                },
            },
        }
        bundle = self.work / "bundle"
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(config, indent=2))
        return bundle

    # --- notes ---

    def wants(self, *rows):
        return any(row in self.options.rows for row in rows)

    def note(self, row, contender, value):
        self.samples[row].setdefault(contender.name, []).append(value)

    def note_start(self, contender, run):
        self.note("running", contender, run.ms("exec", "running"))
        if "up" in run.marks:
            self.note("userland", contender, run.ms("exec", "up"))
        if "said" in run.marks:
            self.said.append((run.said_ms, run.ms("running", "said")))

    def note_end(self, row, contender, run, since, seconds):
        gone = run.wait(["gone"], seconds)
        self.note(row, contender, run.ms(since, "gone") if gone else None)
        if not gone:
            left = len(descendants(os.getpid()))
            self.remarks.append(
                f"{contender.name}, “{ROWS[row][0]}”: after {seconds} s there were still {left} of "
                "its processes; not tried again."
            )

    def hangs(self, row, contender):
        return None in self.samples[row].get(contender.name, [])

    # --- one turn of one contender ---

    def start(self, contender, run, until, is_cold=False, wrapper=(), seconds=START_S):
        before = contender.cached()
        contender.start(run, is_cold, wrapper)
        run.must(until, seconds, f"{contender.name} does not start the guest")
        if before and not is_cold and contender.cached() != before:
            self.void_caches.setdefault(contender.name, []).append(run.ms("exec", "running"))

    @staticmethod
    def end(contender, run):
        contender.end(run)
        run.wait(["gone"], 2)

    def turn_poweroff(self, contender, run):
        """A guest that powers off by itself; memory is looked at before."""
        self.start(contender, run, ["running", "ready", "listening"])
        self.note_start(contender, run)
        for row, value in zip(GROUPS["memory"], run.memory()):
            self.note(row, contender, value)
        if not self.wants("poweroff") or self.hangs("poweroff", contender):
            self.end(contender, run)
            return
        run.type("order poweroff")
        run.must(["shutdown"], END_S, f"{contender.name}: the guest does not power off")
        self.note_end("poweroff", contender, run, "shutdown", HANGS_S)

    def turn_stop(self, contender, run):
        self.start(contender, run, ["running", "ready", "listening"])
        self.note_start(contender, run)
        run.mark("stop")
        contender.stop(run)
        self.note_end("stop", contender, run, "stop", END_S)

    def turn_takeover(self, contender, run):
        """Only ocivirt can do that. The guest goes on meanwhile."""
        self.start(contender, run, ["running", "ready", "said"])
        engine = next(pid for pid in descendants(os.getpid()) if name_of(pid) == "ocivirt-engine")
        run.mark("killed")
        os.kill(engine, signal.SIGKILL)
        run.must(["taken over"], END_S, f"{contender.name}: the VM is not taken over")
        self.note("takeover", contender, run.ms("killed", "taken over"))
        self.end(contender, run)

    def turn_running(self, contender, run):
        self.start(contender, run, ["running"])
        run.wait(["said"], 0.1)
        self.note_start(contender, run)
        self.end(contender, run)

    def turn_cold(self, contender, run):
        self.start(contender, run, ["running"], is_cold=True)
        self.note("cold", contender, run.ms("exec", "running"))
        self.end(contender, run)

    def turn_pid1(self, contender, run, row="pid1"):
        is_cold = row == "pid1-cold"
        self.start(contender, run, ["running"], is_cold, self.unshare, PID1_START_S)
        self.note(row, contender, run.ms("exec", "running"))

    def turn_pid1_cold(self, contender, run):
        self.turn_pid1(contender, run, "pid1-cold")

    # --- all of them ---

    def take(self, turn, contender, doing):
        progress(f"{doing}: {contender.name}")
        with Run(self.work, self.child_watch) as run:
            turn(contender, run)

    def warm_up(self):
        """Fills all caches, the kernel's too, and gets the command line for raw QEMU."""

        def turn(contender, run):
            self.start(contender, run, ["running"])
            if contender is self.ocivirt:
                self.raw.learn()
            self.end(contender, run)

        for contender in [self.ocivirt, *(c for c in self.contenders if c is not self.ocivirt)]:
            self.take(turn, contender, "warming up")

    def measure(self):
        turns = []
        if self.wants("poweroff", "userland", "rss", "pss", "written"):
            turns.append(self.turn_poweroff)
        if self.wants("stop"):
            turns.append(self.turn_stop)
        if self.wants("takeover"):
            turns.append(self.turn_takeover)
        if self.wants("running") and not turns:
            turns.append(self.turn_running)
        if self.wants("cold"):
            turns.append(self.turn_cold)
        self.warm_up()
        for number in range(self.options.runs):
            for turn in turns:
                for contender in self.contenders:
                    if turn == self.turn_takeover and contender is not self.ocivirt:
                        continue
                    self.take(turn, contender, f"round {number + 1} of {self.options.runs}")
        if self.wants("pid1", "pid1-cold"):
            self.measure_pid1()
        if descendants(os.getpid()):
            raise Trouble("processes are left, which is a bug of this bench")

    def measure_pid1(self):
        command = [*self.unshare, "true"]
        if None in command or subprocess.run(command, capture_output=True, check=False).returncode:
            self.remarks.append("As PID 1: not measured; `unshare --pid --mount-proc` must work.")
            return
        turns = {"pid1": self.turn_pid1, "pid1-cold": self.turn_pid1_cold}
        for number in range(min(3, self.options.runs)):
            for turn in (turns[row] for row in turns if self.wants(row)):
                for contender in self.contenders:
                    if number == 0 or contender.name != VirtQemuRun.name:  # which takes 40 s
                        self.take(turn, contender, "as PID 1")
