"""A machine that can be rebooted: Debian with systemd, in a container of systemd-nspawn, on its own network.

Its base is made once in the user's cache; each machine writes into an overlay of its own. The kernel is this machine's,
but what a reboot changes is not: the start's identity, /run, the processes.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.helpers import missing, require_program, wait_until

_SECONDS = 400.0
_PACKAGES = "systemd,systemd-sysv,dbus,iproute2"


def base() -> Path:
    """The base's directory, made whole or not at all. Skips the test (see tests.helpers.missing) where it cannot be."""
    if os.geteuid() != 0:
        missing("a machine with systemd needs root")
    require_program("systemd-nspawn", "systemd-container")
    maker = require_program("mmdebstrap", "mmdebstrap")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upkeeper-tests"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / "systemd-machine"
    with (cache / ".systemd-machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=".systemd-machine-", dir=cache))
            try:
                root = scratch / "root"
                codename = next(
                    line.partition("=")[2].strip('"\n')
                    for line in Path("/etc/os-release").read_text().splitlines()
                    if line.startswith("VERSION_CODENAME=")
                )
                made = subprocess.run(
                    [maker, "--variant=minbase", f"--include={_PACKAGES}", codename, root],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False,
                )  # fmt: skip
                if made.returncode:
                    missing(f"no Debian with systemd could be made: {made.stderr[-500:]}")
                root.rename(wanted)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return wanted


class SystemdMachine:
    """One of them, off at first. sources: the directory whose code runs in it as ``upkeeper``."""

    def __init__(self, directory: Path, sources: Path) -> None:
        lower = base()
        self.root = directory / "root"
        for name in ("root", "upper", "work"):
            (directory / name).mkdir()
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", self.root, "-o",
             f"lowerdir={lower},upperdir={directory}/upper,workdir={directory}/work"],
            check=True,
        )  # fmt: skip
        self._log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        environment = Path(sys.prefix)
        self.upkeeper = environment / "bin/upkeeper"
        self._binds = sorted({sources, environment, Path(sys.base_prefix)})
        program = self.root / "usr/local/bin/upkeeper"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={sources} exec {environment}/bin/python -B -m upkeeper.main "$@"\n')
        program.chmod(0o755)

    def write(self, path: str, text: str) -> None:
        """A file in it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def enable(self, unit: str) -> None:
        """Lets it start a unit each time that it is started."""
        wants = self.root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")

    async def start(self) -> None:
        """Returns when all that it starts by itself has been started."""
        self._spawn()
        await wait_until(self._is_up, timeout=120)

    async def rebooted(self, former: str) -> None:
        """Waits for a start that is another one than the former, whose identity that was."""

        def again() -> bool:
            assert self._process is not None
            if (
                self._process.poll() is not None
            ):  # where /run is no tmpfs, systemd-nspawn ends in place of starting it anew
                self._spawn()
            return self.boot() not in ("", former)

        await wait_until(again, timeout=200)
        await wait_until(self._is_up, timeout=120)

    def boot(self) -> str:
        """The identity of this start; empty while it is not up."""
        leader, path = self._leader(), "proc/sys/kernel/random/boot_id"
        found = Path(f"/proc/{leader}/root/{path}").read_text().strip() if leader else ""
        return found if found != Path(f"/{path}").read_text().strip() else ""  # it sees ours at the very first

    def _spawn(self) -> None:
        binds = [f"--bind-ro={path}" for path in self._binds]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["systemd-nspawn", f"--directory={self.root}", "--boot", "--register=no", "--keep-unit",
                 "--private-network", "--console=pipe", *binds],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        return self.run("systemctl", "is-system-running").strip() in ("running", "degraded")

    def command(self, *arguments: str) -> Sequence[str]:
        """The command line that runs a program in it."""
        return ["nsenter", "-t", str(self._leader()), "-m", "-u", "-i", "-n", "-p", "--", "env", "-i", "HOME=/root",
                "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *arguments]  # fmt: skip

    def run(self, *arguments: str) -> str:
        """What a program in it prints, whatever its exit status; empty where it is not up yet."""
        if not self._leader():
            return ""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    def _leader(self) -> int:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def close(self) -> None:
        """Ends it, and removes what is mounted."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        subprocess.run(["umount", "--lazy", self.root], check=True)
