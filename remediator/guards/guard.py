"""What a guard is."""

from typing import Protocol

from exporter.base.units import format_duration
from remediator.model.hold import Facts, Hold, Limits


class Guard(Protocol):
    """One reason that can block a run."""

    name: str

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        """What speaks against the run now; None when it may happen."""
        ...


def time_left(until: float, now: float) -> str:
    return format_duration(max(1, round(until - now)))
