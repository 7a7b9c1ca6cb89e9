"""Who holds a lock that a package manager needs."""

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.base.text import counted
from remediator.model.task import TaskError

_FLOCK = "hhqqi4x"
"""``struct flock`` of 64-bit Linux: type, whence, start, length, process."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock; its number is 0 where it is not visible from here."""

    pid: int
    program: str

    def __str__(self) -> str:
        return f"{self.program or 'a program'} (process {self.pid})" if self.pid else "a program out of sight"


def holder(paths: Sequence[Path]) -> Holder | None:
    """Who holds one of these files locked, by fcntl as apt and dpkg do it. Blocks. Raises PermissionError."""
    for path in paths:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
        finally:
            os.close(handle)
        if kind != fcntl.F_UNLCK:
            return Holder(max(0, pid), _program(pid))
    return None


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def wait_until_free(
    paths: Sequence[Path],
    seconds: float,
    stopped: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Returns as soon as nobody holds any of the files locked. Blocks. Raises TaskError, which names who does."""
    end = time.monotonic() + seconds
    while (found := holder(paths)) is not None:
        if stopped() or time.monotonic() >= end:
            waited = counted(round(seconds), "second")
            raise TaskError(
                f"{found} holds the lock of the package manager, and still did after {waited} "
                "(packages.lock_timeout); run this again when it is done"
            )
        pause(0.2)
