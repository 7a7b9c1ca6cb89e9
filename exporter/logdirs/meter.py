"""The size of a log directory, measured again and again: from what changed where the kernel tells it, else by walking.

Every ``FULL_SECONDS`` all is read anyway, for what the kernel does not tell (see watch.py). Where it tells nothing,
every round is a full walk: network and FUSE file systems, more directories than may be watched.
"""

import os
import time
from collections.abc import Callable

import structlog

from exporter.inventory.logs import LogDirectory
from exporter.logdirs.usage import OPEN_ROOT, LogUsage, Stop, measure
from exporter.logdirs.watch import Lost, TreePath, Untold, WatchedTree

log = structlog.get_logger(__name__)

FULL_SECONDS = 600.0
"""After this much time everything is read again."""

_LONG = 0.5
_PATIENCE = 20
"""A walk of more than ``_LONG`` seconds is done again only after so many times what it took."""


class LogMeter:
    """Measures one log directory, in one thread at a time.

    wall: Unix seconds. monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        directory: LogDirectory,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._wall = wall
        self._monotonic = monotonic
        self._tree: WatchedTree | None = None
        self._untold_until = float("-inf")
        self._why = ""
        self._walked: LogUsage | None = None
        self._rest_until = float("-inf")

    def measure(self, stop: Stop | None = None) -> LogUsage:
        """As ``usage.measure``, with the same result. Blocks."""
        tree, self._tree = self._tree, None
        now = self._monotonic()
        busy: frozenset[TreePath] = frozenset()
        if tree is not None and now >= tree.made + FULL_SECONDS:
            tree.close()
        elif tree is not None:
            try:
                return self._keeping(tree, tree.again, stop)
            except Lost:
                busy = frozenset(tree.busy)
            except Untold as why:
                self._note(str(why), now)
        if now < self._untold_until:
            return self._walk(stop)
        try:
            tree = WatchedTree(self._directory, busy, self._wall, self._monotonic)
            return self._keeping(tree, tree.first, stop)
        except Lost:
            return measure(self._directory, stop)
        except Untold as why:
            self._note(str(why), now)
            return self._walk(stop)

    def _note(self, why: str, now: float) -> None:
        self._untold_until = now + FULL_SECONDS
        if why != self._why:
            log.info("log directory is walked in full each time", path=self.path, reason=why)
        self._why = why

    def _keeping(self, tree: WatchedTree, work: Callable[[Stop | None], LogUsage], stop: Stop | None) -> LogUsage:
        """What the work gives. The tree is kept for the next round, unless the work fails."""
        try:
            usage = work(stop)
        except BaseException:
            tree.close()
            raise
        self._tree = tree
        return usage

    @property
    def path(self) -> str:
        return self._directory.path

    @property
    def is_told(self) -> bool:
        """Whether the next round will read only what changed."""
        return self._tree is not None

    def close(self) -> None:
        """Ends the watches."""
        if self._tree is not None:
            self._tree.close()
            self._tree = None

    def _walk(self, stop: Stop | None) -> LogUsage:
        """A full walk, or the result of the last one where walks take so long that they would take all time."""
        start = self._monotonic()
        if self._walked is not None and start < self._rest_until:
            os.close(os.open(self._directory.path, OPEN_ROOT))
            return self._walked
        self._walked = measure(self._directory, stop)
        took = self._monotonic() - start
        self._rest_until = start + (min(_PATIENCE * took, FULL_SECONDS) if took > _LONG else 0.0)
        return self._walked
