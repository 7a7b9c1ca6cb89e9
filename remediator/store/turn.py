"""Whose turn it is to write to a SQLite file, among the connections of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """One connection writes at a time, and the next begins as soon as it is done.

    SQLite would do without: whoever finds the file locked sleeps and looks again, longer each time, up to 0.1 s, and a
    webhook would wait for that (https://sqlite.org/c3ref/busy_timeout.html). It stays the judge: whoever waits in vain
    for a turn asks it, and other processes know of no turn.

    patience: seconds that one waits for a turn, as for a lock of SQLite.
    """

    def __init__(self, patience: float = 30.0) -> None:
        self._lock = threading.Lock()
        self._patience = patience

    def take(self) -> bool:
        """Waits for a turn. Whether it came; then ``leave`` ends it, from any thread."""
        return self._lock.acquire(timeout=self._patience)

    def leave(self) -> None:
        """The turn that was taken is over."""
        self._lock.release()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A turn, or in vain none."""
        mine = self.take()
        try:
            yield
        finally:
            if mine:
                self.leave()
