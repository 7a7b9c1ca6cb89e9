"""The always-firing alert ``Watchdog``: while it no longer comes, other alerts and their ends may not come either.

It counts as lost when it was expected, that is, when it ever came or when Alertmanager has it for our receiver, and has
not come for ``watchdog.lost_after``, nor since this process began so long ago. A setup that routes no Watchdog here is
therefore never without one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge

from exporter.base.units import format_duration
from remediator.config import peers

NAME = "Watchdog"
"""Its alert's name, by which everybody knows it."""


@dataclass(frozen=True)
class WatchdogState:
    """last: when it was last received (Unix seconds); None for never. lost_since: when it became lost; None while it is
    not. stops: whether nothing runs by itself because of that.
    """

    last: float | None = None
    lost_since: float | None = None
    stops: bool = False

    @property
    def lost(self) -> bool:
        return self.lost_since is not None


def judge(last: float | None, routed: bool, silent: float, settings: peers.Watchdog, now: float) -> WatchdogState:
    """Whether it is lost. Pure. routed: Alertmanager has it for us. silent: seconds without it that we listened."""
    lost = (last is not None or routed) and silent >= settings.lost_after
    since = now - silent + settings.lost_after
    return WatchdogState(last, since if lost else None, lost and settings.stops)


class Watchdog:
    """What is known of it in this process.

    clock: Unix seconds. ticks: seconds that pass whatever the clock is set to, and not while the machine sleeps.
    on_found: called when it comes again after it was lost.
    """

    def __init__(
        self,
        settings: Callable[[], peers.Watchdog],
        clock: Callable[[], float],
        on_found: Callable[[], None],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._on_found = on_found
        self._ticks = ticks
        self._silent_from: float | None = None
        self.last: float | None = None
        self.routed = False

    def begin(self, last: float | None) -> None:
        """From now on it can be received. last: when it was received before."""
        self._silent_from = self._ticks()
        self.last = last

    @property
    def listens(self) -> bool:
        """Whether it can be received here; then ``last`` is what is known of it."""
        return self._silent_from is not None

    def heard(self) -> None:
        """It has come."""
        lost = self.state().lost
        self.last = self._clock()
        self._silent_from = self._ticks()
        if lost:
            self._on_found()

    def heard_elsewhere(self, at: float) -> None:
        """It came to another host of the fleet, then (Unix seconds)."""
        if self._silent_from is None or (self.last is not None and at <= self.last):
            return
        lost = self.state().lost
        self.last = at
        self._silent_from = max(self._silent_from, self._ticks() - max(0.0, self._clock() - at))
        if lost and not self.state().lost:
            self._on_found()

    def state(self) -> WatchdogState:
        """As of now. Where nothing listens for it, as in a command, it is not lost."""
        if self._silent_from is None:
            return WatchdogState(self.last)
        return judge(self.last, self.routed, self._silent(), self._settings(), self._clock())

    def reason(self) -> str:
        """Why nothing runs by itself; empty where it does."""
        if not self.state().stops:
            return ""
        silent = format_duration(round(self._silent()))
        return f"the alert {NAME} has not come for {silent}: alerts may not arrive, so nothing runs by itself"

    def _silent(self) -> float:
        """Seconds in which we listened and it did not come."""
        return 0.0 if self._silent_from is None else self._ticks() - self._silent_from

    def register(self, registry: CollectorRegistry) -> None:
        last = Gauge(
            "upkeeper_watchdog_last_timestamp_seconds",
            "When the always-firing alert Watchdog was last received; 0 for never",
            registry=registry,
        )
        last.set_function(lambda: self.last or 0.0)
        lost = Gauge(
            "upkeeper_watchdog_lost",
            "1 while the always-firing alert Watchdog was expected and has not come for too long",
            registry=registry,
        )
        lost.set_function(lambda: float(self.state().lost))
