# SPDX-License-Identifier: LGPL-2.1-or-later
"""One start of one contender: its processes, its sockets, and what happened when.

The bench is the subreaper of all it starts: daemons come back to it, so that it can tell when
nothing is left, and leaves nothing itself. It is also the init that virt-qemu-run needs, and reaps
as soon as SIGCHLD comes.
"""

import ctypes
import json
import os
import re
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from processes import children, name_of

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)


class Trouble(Exception):
    """What the person at the keyboard has to know, and can do something about."""


def adopt_orphans():
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def descendants(pid):
    return [d for child in children(pid) for d in [child, *descendants(child)]]


def is_qemu(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("qemu-")
    except OSError:
        return False


def end_all_children():
    while True:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def memory_of(pid):
    """MiB: (RSS, PSS, written)."""
    fields = dict.fromkeys(["Rss", "Pss", "Private_Dirty"], 0)
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in fields:
            fields[name] = int(value.split()[0]) / 1024
    return tuple(fields.values())


class ChildWatch:
    """A socket that has something to read when a child has ended."""

    def __init__(self):
        self.socket, self.other_end = socket.socketpair()
        self.other_end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.other_end.fileno(), warn_on_full_buffer=False)


class Run:
    """From exec to the end.

    marks: name → when it was first seen, monotonic seconds. They are exec, running (RESUME), said
    (ocivirt's line on stderr), taken over (the same), up, ready, listening (the guest's lines), shutdown (SHUTDOWN), gone.
    """

    LINES = {b"guest: up": "up", b"guest: ready": "ready", b"guest: listening": "listening"}
    EVENTS = {"RESUME": "running", "SHUTDOWN": "shutdown"}

    def __init__(self, work, child_watch):
        self.work = work
        self.marks = {}
        self.pid = None
        self.hello = b'{"execute":"qmp_capabilities"}'  # what the monitor hears first
        self.said_ms = None
        self.output = work / "output"
        self.messages = b""
        self.console = b""
        self.console_in = None
        self.monitor = None
        self.monitor_rest = b""
        self.files = []  # to be closed at the end
        self.reaped = {}  # pid → how it ended, as waitpid(2) has it
        self.selector = selectors.DefaultSelector()
        self.watch(child_watch.socket, self.on_child)
        self.listen("qmp.sock", self.on_monitor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_all_children()
        for file in self.files:
            file.close()
        self.selector.close()

    # --- sockets for its QEMU ---

    def watch(self, file, handler):
        self.selector.register(file, selectors.EVENT_READ, handler)

    def listener(self, name):
        path = self.work / name
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        self.files.append(listener)
        listener.bind(str(path))
        listener.listen()
        return listener

    def listen(self, name, handler):
        """For QEMU to connect to."""

        def accept(listener):
            connection, _ = listener.accept()
            self.files.append(connection)
            handler(connection)

        self.watch(self.listener(name), accept)

    def inherited(self, name, is_console):
        """A listening socket for QEMU to inherit. A console has its reader before QEMU is there."""
        listener = self.listener(name)
        listener.set_inheritable(True)
        if is_console:
            console = socket.socket(socket.AF_UNIX)
            self.files.append(console)
            console.connect(str(self.work / name))
            self.on_console(console)
        return listener.fileno()

    # --- its start ---

    def start(self, argv, environment, console_is_stdio=False):
        clock_read, clock_write = os.pipe()
        streams, ours = self.standard_streams(console_is_stdio)
        self.pid = os.fork()
        if self.pid == 0:
            self.become(argv, environment, streams, clock_write)
        for fd in [*streams, clock_write]:
            os.close(fd)
        with open(clock_read, "rb") as clock:
            self.marks["exec"] = struct.unpack("d", clock.read(8))[0]
            if clock.read():
                raise Trouble(f"cannot execute {argv[0]}")
        if console_is_stdio:
            self.console_in, stdout, stderr = ours
            self.watch(stdout, self.read_console)
            self.watch(stderr, self.read_messages)

    def standard_streams(self, console_is_stdio):
        if not console_is_stdio:
            output = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            return [os.open(os.devnull, os.O_RDONLY), output, os.dup(output)], []
        (stdin, typed), (console, stdout), (messages, stderr) = os.pipe(), os.pipe(), os.pipe()
        ours = [open(typed, "wb", buffering=0), open(console, "rb"), open(messages, "rb")]
        self.files += ours
        return [stdin, stdout, stderr], ours

    @staticmethod
    def become(argv, environment, streams, clock):
        try:
            os.setsid()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # in case that the bench is killed
            for number, fd in enumerate(streams):
                os.dup2(fd, number)
            signal.set_wakeup_fd(-1)
            for name in ("PIPE", "CHLD", "INT", "TERM", "HUP"):
                signal.signal(signal.Signals["SIG" + name], signal.SIG_DFL)
            os.write(clock, struct.pack("d", time.monotonic()))
            os.execve(argv[0], argv, environment)
        except OSError:
            os.write(clock, b"!")
        finally:
            os._exit(127)

    # --- what is heard of it ---

    def mark(self, name):
        self.marks.setdefault(name, time.monotonic())

    def read(self, file):
        try:
            text = os.read(file.fileno(), 65536)
        except ConnectionError:
            text = b""
        if not text:
            self.selector.unregister(file)
        return text

    def on_monitor(self, connection):
        self.monitor = connection
        connection.sendall(self.hello)
        self.watch(connection, self.read_monitor)

    def read_monitor(self, connection):
        *lines, self.monitor_rest = (self.monitor_rest + self.read(connection)).split(b"\n")
        for line in lines:
            event = json.loads(line).get("event") if line.strip() else None
            if event in self.EVENTS:
                self.mark(self.EVENTS[event])

    def on_console(self, connection):
        self.console_in = connection
        self.watch(connection, self.read_console)

    def read_console(self, file):
        text = self.read(file)
        if text and isinstance(file, socket.socket):
            self.console_in = file  # libvirt makes a connection of its own, only to close it
        self.console += text
        for line, name in self.LINES.items():
            if name not in self.marks and line in self.console:
                self.mark(name)

    def read_messages(self, file):
        self.messages += self.read(file)
        line = re.search(rb"guest running after (\d+) ms", self.messages)
        if line and self.said_ms is None:
            self.mark("said")
            self.said_ms = int(line[1])
        if b"the VM is taken over" in self.messages:
            self.mark("taken over")

    def on_child(self, ended):
        ended.recv(4096)
        try:
            while (child := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                self.reaped[child[0]] = child[1]
        except ChildProcessError:
            self.mark("gone")

    # --- what is done with it ---

    def wait(self, names, seconds):
        """Until all marks @names are there. False: not in @seconds, or they cannot come."""
        return self.look(
            lambda: all(name in self.marks for name in names), seconds, "gone" in names
        )

    def look(self, is_there, seconds, outlives=False):
        """The same, until is_there(). @outlives: it may come when all have gone."""
        deadline = time.monotonic() + seconds
        while not is_there():
            left = deadline - time.monotonic()
            if left <= 0 or ("gone" in self.marks and not outlives):
                return False
            for key, _ in self.selector.select(min(left, 0.05)):
                key.data(key.fileobj)
        return True

    def until(self, is_there, seconds, trouble):
        if not self.look(is_there, seconds):
            raise Trouble(f"{trouble}\nThe end of its console:\n{self.console[-300:].decode(errors='replace')}")

    def must(self, names, seconds, trouble):
        if self.wait(names, seconds):
            return
        if "gone" in self.marks:
            for key, _ in self.selector.select(0):  # its last words
                key.data(key.fileobj)
        missing = ", ".join(name for name in names if name not in self.marks)
        after = "it ended" if "gone" in self.marks else f"nothing for {seconds} s"
        said = self.messages or (self.output.read_bytes() if self.output.exists() else b"")
        said = said.decode(errors="replace").strip() or "nothing"
        console = self.console[-300:].decode(errors="replace").strip() or "nothing"
        raise Trouble(
            f"{trouble}: {after}, without a sign of {missing}\n"
            f"It said:\n{said}\nThe end of its console:\n{console}"
        )

    def ms(self, since, until):
        return (self.marks[until] - self.marks[since]) * 1000

    def type(self, line):
        os.write(self.console_in.fileno(), line.encode() + b"\n")

    def tell_monitor(self, command):
        self.monitor.sendall(json.dumps({"execute": command}).encode())

    def signal(self, number):
        os.kill(self.pid, number)

    @staticmethod
    def memory():
        """MiB: (RSS, PSS, written) of all its processes but QEMU."""
        ours = [pid for pid in descendants(os.getpid()) if not is_qemu(pid)]
        return [sum(values) for values in zip((0, 0, 0), *map(memory_of, ours))]
