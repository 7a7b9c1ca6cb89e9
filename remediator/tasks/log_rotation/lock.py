"""One run at a time in a directory, whoever started it and by whatever path it got there.

The lock is on the open directory itself (flock(2)), so it holds between targets that overlap, paths through links and
bind mounts, and Upkeeper processes with different state directories, and it ends with its process. It is held for one
action in one directory, never for two at once, so that nobody can wait in a circle. An overlay does not share the lock
with the layer that it writes to, where the same files can be reached: both are locked, always the overlay's first.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from exporter.base.units import format_duration
from remediator.files.compress import Stopped
from remediator.files.folder import Changed, Folder
from remediator.files.layers import open_upper
from remediator.model.task import TaskError

PATIENCE = 60.0
"""Seconds to wait for another run's action; compressing a large log takes some."""
_LOOK_AGAIN = 0.02


@contextmanager
def alone_in(folder: Folder, stop: threading.Event, patience: float | None = None) -> Iterator[None]:
    """Keeps all other runs out of this directory. Raises Changed if the wait is in vain, Stopped, TaskError."""
    patience = PATIENCE if patience is None else patience
    deadline = time.monotonic() + patience
    with ExitStack() as held:
        upper = open_upper(folder.fd)
        if upper is not None:
            held.callback(os.close, upper)
        for fd in (folder.fd, upper):
            if fd is not None:
                _acquire(fd, stop, deadline, patience)
                held.callback(fcntl.flock, fd, fcntl.LOCK_UN)
        yield


def _acquire(fd: int, stop: threading.Event, deadline: float, patience: float) -> None:
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if stop.wait(_LOOK_AGAIN):
                raise Stopped from None
            if time.monotonic() > deadline:
                waited = format_duration(round(patience, 2))
                raise Changed(f"another run was at work in this directory for {waited}") from None
        except OSError as error:
            raise TaskError(f"the directory cannot be locked against other runs: {error.strerror}") from error
