"""What others can cause without limit is said at once, and then seldom, with how often it was."""

from collections.abc import Callable
from dataclasses import dataclass, field

EVERY = 600.0
"""Seconds in which one thing is said once."""
MOST = 100
"""Things that are told apart; the one said longest ago is forgotten for a new one."""


@dataclass
class Seldom:
    """clock: seconds that never go back."""

    clock: Callable[[], float]
    every: float = EVERY
    _said: dict[object, tuple[float, int]] = field(default_factory=dict)
    """When each was said last, and how often it has been since; the one said longest ago first."""

    def due(self, what: object) -> int:
        """It is so once more. Zero if that is not to be said now, else how often it was since it was said last."""
        now = self.clock()
        at, count = self._said.get(what, (None, 0))
        if at is not None and now - at < self.every:
            self._said[what] = at, count + 1
            return 0
        self._said.pop(what, None)
        self._said[what] = now, 0
        while len(self._said) > MOST:
            del self._said[next(iter(self._said))]
        return count + 1
