"""What can hold back a run: pauses, earlier runs, and what blocks."""

from dataclasses import dataclass
from typing import Self

from remediator.model.caller import NOT_WRITTEN_DOWN, Caller

HOUR = 3600.0


DAY = 86400.0


@dataclass(frozen=True)
class Pause:
    """Holds back the runs of one task, or all runs if ``task`` is None. Times are Unix seconds."""

    task: str | None
    reason: str
    since: float
    until: float | None
    caller: Caller = NOT_WRITTEN_DOWN


@dataclass(frozen=True)
class PastRun:
    """A finished run of the same task on the same target that changed something or was to change something."""

    started_at: float
    finished_at: float
    helped: bool
    """It was effective, or the target was within its limit after it."""


@dataclass(frozen=True)
class Hold:
    """Why a run must not happen now, for people, and when that ends by itself (Unix seconds).

    until is None if an event ends it, not a time: a run that finishes, a person who resumes. since: when it began,
    where that is known. asks: a person can lift it for the plan that is judged, by approving that.
    """

    reason: str
    until: float | None = None
    since: float | None = None
    asks: bool = False


@dataclass(frozen=True)
class Block:
    """A guard that blocks, and why."""

    guard: str
    reason: str
    until: float | None = None
    since: float | None = None
    asks: bool = False

    @classmethod
    def of(cls, guard: str, hold: Hold) -> Self:
        return cls(guard, hold.reason, hold.until, hold.since, hold.asks)
