"""The log file of a process that `upkeeper up` started: bounded, and never in the way of the process."""

import errno
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import structlog

log = structlog.get_logger(__name__)

LIMIT = 5 * 1024**2
"""Bytes after which the file becomes ``.1``, in place of the one before: a log takes twice this at most."""
QUIET_SECONDS = 300.0
"""So long it is not said again that lines are lost."""
TAIL = 20
"""Lines kept in memory, to be shown when the process ends unasked."""


class ChildLog:
    """Takes a process's output line by line. When the file cannot be written, lines are lost and no more."""

    def __init__(self, path: Path, limit: int = LIMIT, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._limit = limit
        self._file: BinaryIO | None = None
        self._monotonic = monotonic
        self._said = float("-inf")

    def write(self, line: bytes) -> None:
        """Adds a line, with its line end."""
        self.tail.append(line.decode(errors="replace").rstrip())
        try:
            file = self._room_for(len(line))
            if file.write(line) < len(line):  # the last of the room
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            now = self._monotonic()
            if now - self._said > QUIET_SECONDS:  # on a full disk, a line fits now and then
                log.warning("log file cannot be written, lines are lost", path=str(self.path), error=error.strerror)
                self._said = now

    def close(self) -> None:
        """Closes the file; a later line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _room_for(self, size: int) -> BinaryIO:
        file = self._file or self._open()
        if (used := file.tell()) and used + size > self._limit:
            self.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            file = self._open()
        return file

    def _open(self) -> BinaryIO:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Unbuffered: a full disk then shows at once, and closing has nothing left that could fail.
        self._file = self.path.open("ab", buffering=0)
        return self._file
