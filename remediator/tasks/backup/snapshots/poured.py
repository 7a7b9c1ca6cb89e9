"""A file of a set that goes straight into a repository, as a snapshot of its own. Memory use is flat.

``restic backup --stdin`` takes the end of its input for the end of the file, and makes a snapshot of half of it with
exit status 0 where whoever writes has failed. So its input is closed only once all was written; else it is interrupted.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from exporter.backups.manifest import SetFile
from remediator.tasks.backup.copies.repository import Pouring, Repository
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup.snapshots.tags import part_tags

_INTERRUPT_SECONDS = 10.0


class Poured:
    """As remediator.tasks.backup.sink.Sink. count: told how many bytes were written."""

    def __init__(
        self,
        repository: Repository,
        pouring: Pouring,
        path: str,
        source: str,
        stop: threading.Event,
        count: Callable[[int], None],
    ) -> None:
        self._repository, self._pouring, self._path, self._source = repository, pouring, path, source
        self._stop, self._count = stop, count
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._ended = False
        self._running = repository.pour(pouring, path, stop)

    def write(self, data: bytes) -> None:
        """Raises OSError, TaskError, Stopped."""
        if self._stop.is_set():
            raise Stopped
        self._hash.update(data)
        self._bytes += len(data)
        self._count(len(data))
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._input(), view) :]
        except BrokenPipeError:
            if self._stop.is_set():
                raise Stopped from None
            self._end()  # it says why

    def done(self) -> SetFile:
        """Waits until it is in the repository, and looks for it there. Raises TaskError, Stopped."""
        self._close_input()
        self._end()
        self._repository.require_poured(self._pouring, self._path, self._bytes, self._stop)
        return SetFile(self._path, self._bytes, self._hash.hexdigest(), self._source)

    def close(self) -> None:
        if not self._ended and self._running.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._running.process.pid, signal.SIGINT)  # upon which it removes its lock
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running.process.wait(_INTERRUPT_SECONDS)
        self._running.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _input(self) -> int:
        assert self._running.process.stdin is not None
        return self._running.process.stdin.fileno()

    def _close_input(self) -> None:
        assert self._running.process.stdin is not None
        self._running.process.stdin.close()

    def _end(self) -> None:
        self._ended = True
        self._repository.end(self._running)


def of_a_part(
    repository: Repository, backup: str, name: str, host: str, started: float
) -> Callable[[str, str, threading.Event, Callable[[int], None]], Poured]:
    """Makes files of a set. started: Unix seconds, when the set was begun, which all of its snapshots are dated to."""
    pouring = Pouring(host, part_tags(backup, name), started)
    return lambda path, source, stop, count: Poured(repository, pouring, path, source, stop, count)
