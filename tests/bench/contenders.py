# SPDX-License-Identifier: LGPL-2.1-or-later
"""How each contender is started and stopped."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from running import Trouble, descendants, is_qemu


class Contender:
    """work: the bench's directory. environment: that of what it starts."""

    name = ""
    root = None  # its root directory's name below work

    def __init__(self, work, environment):
        self.work = work
        self.environment = environment

    def warm(self):
        path = self.work / self.root
        path.mkdir(exist_ok=True)
        return path

    def cold(self):
        path = self.work / "c"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def cached(self):
        """What tells an untouched capability cache from a new one."""
        if self.root is None:
            return []
        files = (self.work / self.root / "cache").rglob("*.xml")
        return sorted((str(file), file.stat().st_mtime_ns) for file in files)

    def start(self, run, is_cold, wrapper):
        raise NotImplementedError

    def stop(self, run):
        """Asks for the stop that is measured."""
        run.signal(signal.SIGTERM)

    def end(self, run):
        """Asks for the quickest orderly end."""
        run.signal(signal.SIGTERM)

    def fifos(self):
        """What ocivirt makes for the port of the guest's exit status."""
        for end in ("in", "out"):
            path = self.work / f"exit.{end}"
            if not path.exists():
                os.mkfifo(path)
        return self.work / "exit"


class Ocivirt(Contender):
    name = "ocivirt"
    root = "o"

    def __init__(self, work, environment, program, bundle):
        super().__init__(work, environment)
        self.program = program
        self.bundle = bundle

    def command(self, subcommand, root):
        options = ["--id", "bench", "--bundle", str(self.bundle), "--root", str(root)]
        return [self.program, subcommand, *options]

    def start(self, run, is_cold, wrapper):
        root = self.cold() if is_cold else self.warm()
        command = [*wrapper, *self.command("run", root)]
        run.start(command, self.environment, console_is_stdio=True)

    def end(self, run):
        run.signal(signal.SIGQUIT)

    def xml(self):
        command = self.command("xml", self.warm())
        result = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise Trouble(f"`ocivirt xml` fails:\n{result.stderr.strip()}")
        return result.stdout


class RawQemu(Contender):
    """QEMU with the command line that libvirt gave it for ocivirt, adapted where it must be."""

    name = "raw QEMU"

    def learn(self):
        """From the QEMU that is running below us now."""
        pid = next((pid for pid in descendants(os.getpid()) if is_qemu(pid)), None)
        if pid is None:
            raise Trouble("ocivirt runs a guest, and there is no QEMU among its processes")
        self.emulator = os.readlink(f"/proc/{pid}/exe")
        self.arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[1:-1]
        variables = Path(f"/proc/{pid}/environ").read_text().split("\0")[:-1]
        self.environment = dict(variable.split("=", 1) for variable in variables)
        (self.work / "key").write_bytes(os.urandom(32))

    def adapt(self, argument, run):
        server = re.match(r"socket,id=([^,]+),(?:fd=\d+|path=[^,]+),server=on", argument)
        if server:
            is_console = server[1].startswith(("charserial", "charconsole"))
            fd = run.inherited(server[1], is_console)
            return re.sub(r",(fd=\d+|path=[^,]+),", f",fd={fd},", argument, count=1)
        if argument.startswith("pipe,"):
            return re.sub(r"path=.*", f"path={self.fifos()}", argument)
        if re.search(r"\bv?fds?=\d|fdset", argument):
            raise Trouble(f"the bench does not know what descriptor raw QEMU needs in: {argument}")
        return re.sub(r'/[^",]*/master-key.aes', str(self.work / "key"), argument)

    def start(self, run, is_cold, wrapper):
        # With -no-shutdown QEMU stays when the guest has gone, until libvirt ends it.
        wanted = [argument for argument in self.arguments if argument != "-no-shutdown"]
        arguments = [self.adapt(argument, run) for argument in wanted]
        if run.console_in is None:
            raise Trouble(f"libvirt's QEMU has no socket for a console: {' '.join(wanted)}")
        run.hello += b'{"execute":"cont"}'
        run.start([*wrapper, self.emulator, *arguments], self.environment)

    def stop(self, run):
        run.tell_monitor("system_powerdown")


class VirtQemuRun(Contender):
    """As the child of an init that reaps, which the bench is."""

    name = "virt-qemu-run"
    root = "v"
    CONF = """\
cgroup_controllers = []
namespaces = []
security_driver = "none"
seccomp_sandbox = 1
dynamic_ownership = 0
remember_owner = 0
stdio_handler = "file"
"""

    def __init__(self, work, environment, program, emulator, xml):
        super().__init__(work, environment)
        self.program = program
        self.domain = work / "domain.xml"
        # It does not show the console, and the guest runs at once: when QEMU is the one to
        # connect, no byte is lost.
        ours = f'<source mode="connect" path="{work}/console.sock"/>'
        xml = re.sub(r'<source mode="bind" path="[^"]*"/>', ours, xml)
        xml = re.sub(r'<source path="[^"]*/exit"/>', f'<source path="{self.fifos()}"/>', xml)
        # ocivirt's launcher is there for ocivirt alone.
        self.domain.write_text(re.sub(r"<emulator>[^<]*", f"<emulator>{emulator}", xml))

    def start(self, run, is_cold, wrapper):
        root = self.cold() if is_cold else self.warm()
        as_root = 'user = "root"\ngroup = "root"\n' if os.geteuid() == 0 else ""
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/qemu.conf").write_text(self.CONF + as_root)
        run.listen("console.sock", run.on_console)
        command = [*wrapper, self.program, "-r", str(root), str(self.domain)]
        run.start(command, self.environment | {"HOME": str(root)})
