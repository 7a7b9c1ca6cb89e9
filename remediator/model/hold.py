"""What can hold back a run: pauses, the past, the limits of a remedy, and what blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from remediator.config.remedies import Breaker, Rate
from remediator.model.caller import NOT_WRITTEN_DOWN, Caller

HOUR = 3600.0


DAY = 86400.0


@dataclass(frozen=True)
class Pause:
    """Runs are held back: of one task, or of all when ``task`` is None. Times are Unix seconds."""

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
class Limits:
    """How often a task may run on one target: the guards' settings, from the remedy."""

    cooldown: float
    rate: Rate
    breaker: Breaker


@dataclass(frozen=True)
class Facts:
    """What the guards judge by, for one task and target."""

    now: float
    pauses: Sequence[Pause] = ()
    in_flight: int | None = None
    """The id of an unfinished run of this task on this target."""
    past: Sequence[PastRun] = ()
    """Newest first, at least those of the last day and as many as the breaker counts."""
    breaker_closed_at: float = field(default=0.0)
    """When a person last closed the breaker; runs before that do not count for it."""


@dataclass(frozen=True)
class Hold:
    """Why a run must not happen now, for people, and when that ends by itself (Unix seconds).

    until is None where no time ends it but an event: a run that finishes, a person who resumes.
    """

    reason: str
    until: float | None = None


@dataclass(frozen=True)
class Block:
    """A guard that blocks, with its reason for people, and when that ends by itself (Unix seconds), if it does."""

    guard: str
    reason: str
    until: float | None = None
