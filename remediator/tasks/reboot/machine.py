"""The machine: whether it waits for a reboot, which of its starts this is, and how it is told to start anew."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporter.base.programs import CommandFailed, run
from exporter.host.reboot import installed_kernels, newer_kernel, reboot_required
from remediator.model.task import TaskError

_LOOK_SECONDS = 60.0
_MARKER = "/run/reboot-required.pkgs"
_CHECKS_INHIBITORS = 248
"""The version of systemd from which on a program may ask systemctl to respect what keeps the machine from stopping."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Whether the machine waits for a reboot; None where it does not tell.

    packages: that ask for it. in_vain: it waits for a kernel that was there when it was started the last time.
    """

    required: bool | None
    packages: Sequence[str] = field(default=())
    in_vain: bool = False

    def __str__(self) -> str:
        if self.required is None:
            return "whether the machine needs a reboot is not known"
        if not self.required:
            return "nothing waits for a reboot"
        if self.in_vain:
            return "a newer kernel is installed, but the boot loader has started the former one"
        named = f": {', '.join(self.packages[:10])}" if self.packages else ""
        return f"updates wait for a reboot{named}"


class Machine:
    """The machine that this runs on.

    root: of its file system. systemctl: the program, with options that each call gets. release: of the running kernel.
    clock: Unix seconds.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        systemctl: Sequence[str] = ("systemctl",),
        euid: int | None = None,
        release: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._systemctl = list(systemctl)
        self._release = release or os.uname().release
        self._clock = clock
        self.is_root = (os.geteuid() if euid is None else euid) == 0

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs it, as sd_booted(3) tells; not from within a container of an engine."""
        return self.path("/run/systemd/system").is_dir()

    def boot(self) -> str:
        """Another one each time the machine was started. Raises TaskError.

        From boot_id of random(4), and from when process 1 was started: a container that is a machine of its own has its
        host's boot_id, or sees it from within a service that may not change what is below ``/proc/sys``.
        """
        try:
            found = self.path("/proc/sys/kernel/random/boot_id").read_text().strip()
            since = self.path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]  # starttime: proc_pid_stat(5)
        except (OSError, IndexError) as error:
            raise TaskError(f"which start of the machine this is cannot be read: {error}") from None
        if not found:
            raise TaskError("the kernel does not tell which start of the machine this is")
        return f"{found}/{since}"

    def uptime(self) -> float | None:
        """Seconds since the machine was started; None where the kernel does not tell."""
        try:
            return float(self.path("/proc/uptime").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    async def waits(self) -> Waits:
        return await asyncio.to_thread(self._waits)

    def _waits(self) -> Waits:
        required = reboot_required(self._root, self._release)
        try:
            packages = sorted(set(self.path(_MARKER).read_text().split()))
        except OSError:
            packages = []
        marked = self.path("/run/reboot-required").exists()
        return Waits(required, packages, in_vain=bool(required) and not marked and self._kernel_was_there())

    def _kernel_was_there(self) -> bool:
        """Whether each newer kernel was there before the machine was started."""
        boot = self.path("/boot")
        newer = [name for name in installed_kernels(boot) if newer_kernel(self._release, [self._release, name])]
        uptime = self.uptime()
        try:
            written = [(boot / f"vmlinuz-{name}").stat().st_ctime for name in newer]
        except OSError:
            return False
        return bool(written) and uptime is not None and max(written) < self._clock() - uptime

    def own_unit(self) -> str:
        """The unit that systemd runs this process as; empty where it does not."""
        try:
            groups = self.path("/proc/self/cgroup").read_text()
        except OSError:
            return ""
        found = re.findall(r"/system\.slice/(?:[^/\n]+\.slice/)*([^/\n]+\.service)", groups)
        return found[0] if found else ""

    async def starts(self, unit: str) -> bool:
        """Whether systemd starts a unit when the machine is started."""
        done = await self._run("is-enabled", "--", unit)
        return done[1].strip() in ("enabled", "static", "generated", "indirect", "alias")

    async def systemctl(self, *arguments: str) -> str:
        """Its answer. Raises CommandFailed and TaskError."""
        status, answer, complaint = await self._run(*arguments)
        if status != 0:
            raise CommandFailed(f"{self._systemctl[0]}: {complaint}")
        return answer

    async def reboot(self, why: str) -> None:
        """Returns as soon as systemd has begun. why: for people who are logged in. Raises CommandFailed and TaskError,
        also where a program keeps the machine from stopping.
        """
        version = re.match(r"systemd (\d+)", await self.systemctl("--version"))
        respects = version is not None and int(version[1]) >= _CHECKS_INHIBITORS
        options = ["--check-inhibitors=yes"] if respects else []
        await self.systemctl("reboot", "--no-ask-password", f"--message={why}", *options)

    async def _run(self, *arguments: str) -> tuple[int, str, str]:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                done = await run([*self._systemctl, *arguments], polite=False)
        except TimeoutError:
            raise CommandFailed(f"{self._systemctl[0]}: no answer within {_LOOK_SECONDS:.0f} s") from None
        except OSError as error:
            raise TaskError(f"{self._systemctl[0]} cannot be run: {error.strerror}") from error
        return done.status, done.output, done.complaint

    def path(self, absolute: str) -> Path:
        return self._root / absolute.removeprefix("/")
