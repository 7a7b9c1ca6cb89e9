"""A process that is supervised, and the output that it writes to us."""

from __future__ import annotations

import os
import signal
import sys

from upkeeper.up.supervise.childlog import ChildLog

_CHUNK = 64 * 1024
_DIE_WITH_PARENT = os.path.join(os.path.dirname(__file__), "die_with_parent.py")

TYPE_CHECKING = False  # typing is left out: it would be a quarter of the program
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Lines:
    """A pipe that a process writes to, read line by line; one longer than a chunk is cut."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""
        self.fd, self.write_end = os.pipe()

    def read(self) -> bool:
        """Takes what there is; False at its end."""
        chunk = os.read(self.fd, _CHUNK)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._rest and (not chunk or len(self._rest) > _CHUNK):
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._take(line)
        return bool(chunk)


class Child:
    """A process of the plan. ``pid`` is None before its start and after its end."""

    def __init__(self, spec: Mapping[str, Any], echo: Callable[[str, bytes], None] | None) -> None:
        self.name: str = spec["name"]
        self.argv: list[str] = spec["argv"]
        self.ready: str = spec["ready"]
        self.stop_within: float = spec["stop_within"]
        self.env: Mapping[str, str] = spec["env"]
        self.pid: int | None = None
        self.status: int | None = None
        """How it ended last: as subprocess has it, negative for a signal."""
        self._log = ChildLog(spec["log"]) if spec["log"] is not None else None
        self._echo = echo

    @property
    def tail(self) -> list[str]:
        """The last lines it logged; none when it writes to our own output."""
        return self._log.tail if self._log is not None else []

    def start(self) -> Lines | None:
        """Starts it, tied to our end and in a session of its own: Ctrl-C is ours to pass on. Its output to be read.

        Raises OSError.
        """
        tied = [sys.executable, "-I", "-S", _DIE_WITH_PARENT, str(os.getpid()), *self.argv]
        lines = Lines(self._line) if self._log is not None else None
        self.status, self.pid = None, spawn(tied, self.env, lines)
        return lines

    def _line(self, line: bytes) -> None:
        assert self._log is not None
        self._log.write(line + b"\n")
        if self._echo is not None:
            self._echo(self.name, line)

    def adopt(self, pid: int) -> None:
        """Takes over a process that another one has started for us."""
        self.status, self.pid = None, pid

    def ended(self, status: int) -> None:
        """Notes its end, and ends what it left behind in its group."""
        self.kill()
        self.pid, self.status = None, status
        if self._log is not None:
            self._log.close()

    def send(self, number: int) -> None:
        """Sends a signal to the process itself; nothing happens when it has ended."""
        if self.pid is not None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        """Kills it and all of its group."""
        if self.pid is not None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass


def spawn(argv: list[str], env: Mapping[str, str], lines: Lines | None, into: Sequence[int] = (1, 2)) -> int:
    """The process id of a new process in a session of its own, with nothing to read.

    lines: what reads what it writes to the descriptors ``into``. Raises OSError.
    """
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    if lines is not None:
        actions += [(os.POSIX_SPAWN_DUP2, lines.write_end, number) for number in into]
    # What this program was started to ignore is not what they are to ignore.
    default = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE]
    try:
        environment = {**os.environ, **env}
        return os.posix_spawn(argv[0], argv, environment, file_actions=actions, setsid=True, setsigdef=default)
    finally:
        if lines is not None:
            os.close(lines.write_end)
