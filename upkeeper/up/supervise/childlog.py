"""The log file of a process that `upkeeper up` started: bounded, and never in the way of the process."""

from __future__ import annotations

import errno
import os
import time

from upkeeper.up.supervise.say import say

LIMIT = 5 * 1024**2
"""Bytes after which the file becomes ``.1``, instead of the one before: a log takes twice this at most."""
QUIET_SECONDS = 300.0
"""So long it is not said again that lines are lost."""
TAIL = 20
"""Lines kept in memory, to be shown when the process ends unasked."""


class ChildLog:
    """Takes a process's output line by line. When the file cannot be written, lines are lost and no more."""

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        self.path = path
        self.tail: list[str] = []
        self._limit = limit
        self._file: int | None = None
        self._said = float("-inf")

    def write(self, line: bytes) -> None:
        """Adds a line, with its line end."""
        self.tail = [*self.tail[1 - TAIL :], line.decode(errors="replace").rstrip()]
        try:
            if os.write(self._room_for(len(line)), line) < len(line):  # the last of the room
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            now = time.monotonic()
            if now - self._said > QUIET_SECONDS:  # on a full disk, a line fits now and then
                say("warning", "log file cannot be written, lines are lost", path=self.path, error=error.strerror)
                self._said = now

    def close(self) -> None:
        """Closes the file; a later line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _room_for(self, size: int) -> int:
        file = self._file if self._file is not None else self._open()
        if (used := os.fstat(file).st_size) and used + size > self._limit:
            self.close()
            os.replace(self.path, f"{self.path}.1")
            file = self._open()
        return file

    def _open(self) -> int:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._file
