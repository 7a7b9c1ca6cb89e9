"""A token bucket, as golang.org/x/time/rate has it."""

from collections.abc import Callable


class TokenBucket:
    """Lets ``burst`` pass at once, and one more after each ``interval`` seconds. ``clock``: seconds, monotonic."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Takes a token. Returns whether there was one."""
        now = self._clock()
        self._tokens = min(float(self._burst), self._tokens + (now - self._at) / self._interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def wait(self) -> float:
        """Seconds until there is a token."""
        return max(0.0, (1 - self._tokens) * self._interval)
