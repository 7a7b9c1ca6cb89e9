"""The system whose packages are looked after: how programs are run in it, and where its files are."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporter.base.programs import CommandFailed, Finished, run
from exporter.base.units import format_duration
from remediator.model.task import TaskError
from remediator.tasks.worker import in_thread

_PASSED_ON = ("PATH", "HOME", "USER", "TMPDIR", "APT_CONFIG")
_MAX_OUTPUT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class System:
    """root: of its file system; programs run in it, by chroot, where it is not ours. euid: as whom we run.

    grace: seconds that a package manager gets to end by itself when the remediator stops, and then
    from SIGTERM to SIGKILL.
    """

    root: Path = Path("/")
    euid: int = field(default_factory=os.geteuid)
    grace: tuple[float, float] = (60.0, 10.0)

    @property
    def is_ours(self) -> bool:
        return self.root == Path("/")

    def path(self, absolute: str) -> Path:
        return self.root / absolute.removeprefix("/")

    def _within(self, command: Sequence[str]) -> list[str]:
        return list(command) if self.is_ours else ["chroot", str(self.root), *command]

    def refusal(self) -> str:
        """Why we may not change packages that need root; empty where we may.

        A unit whose /usr is read-only is found out before: a package that cannot be unpacked is left broken.
        """
        if self.euid != 0:
            return (
                "only root may change packages: run the remediator, or this command, as root "
                "(docs/how-to/host-updates.md says how)"
            )
        if os.statvfs(self.path("/usr")).f_flag & os.ST_RDONLY:
            return (
                "/usr is read-only here: the unit of the remediator keeps packages from it, until "
                "`upkeeper install --systemd --packages` lets it change them (docs/how-to/systemd.md)"
            )
        return ""

    async def ask(self, *command: str, environment: Mapping[str, str] | None = None) -> Finished:
        """Runs a program that only reads."""
        try:
            return await run(self._within(command), environment=environment, polite=False)
        except OSError as error:
            raise CommandFailed(f"cannot run {command[0]}: {error.strerror}") from error

    async def answer(self, *command: str) -> str:
        """What a program that only reads says. Raises CommandFailed where it fails."""
        done = await self.ask(*command)
        if done.status != 0:
            raise CommandFailed(f"{command[0]}: {done.complaint}")
        return done.output

    async def act(
        self, *command: str, seconds: float, environment: Mapping[str, str] | None = None, needs_root: bool = True
    ) -> Finished:
        """Runs a program that changes packages: with nothing to read, in a session of its own, for so long at most.

        It writes into a file, so that it goes on in order to its end where the remediator dies meanwhile. Where the
        remediator stops in order, it is given a minute first. Raises TaskError.
        """
        if needs_root and (refusal := self.refusal()):
            raise TaskError(refusal)
        own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        variables = {**own, "LC_ALL": "C", "LANGUAGE": "C", **(environment or {})}
        whole = self._within(command)
        return await in_thread(lambda stop: _run(whole, variables, seconds, stop, self.grace))


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    stop: threading.Event,
    grace: tuple[float, float],
) -> Finished:
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                env=environment,
            )
        except OSError as error:
            raise TaskError(f"cannot run {command[0]}: {error.strerror}") from error
        late = _ended_late(process, seconds, stop, grace)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _MAX_OUTPUT))
        said = output.read().decode("utf-8", "replace")
    if late:
        raise TaskError(f"{command[0]} was ended {late}; the next run mends what it was at")
    return Finished(process.returncode, said, said)


def _ended_late(
    process: "subprocess.Popen[bytes]", seconds: float, stop: threading.Event, grace: tuple[float, float]
) -> str:
    """Waits for the end of a process, or brings it about; why, if it did. Blocks."""
    end = time.monotonic() + seconds
    why = f"after {format_duration(max(1, round(seconds)))}, packages.time_limit"
    while True:
        try:
            process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if stop.is_set() and not why.startswith("as"):
                why, end = "as the remediator stopped", min(end, time.monotonic() + grace[0])
            if time.monotonic() < end:
                continue
        else:
            return ""
        for number, patience in ((signal.SIGTERM, grace[1]), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience)
                return why
