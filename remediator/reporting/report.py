"""What a report says, as values. Times are Unix seconds, sizes bytes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from exporter.base.text import format_time_ms
from remediator.store.figures import Trouble

Part = Literal["open", "remedies", "backups"]
"""Of a report, that is asked of the remediator."""

NOT_KNOWN = "This could not be looked at: the reason stands under Not known."

VERSION = 1
"""Of the JSON document."""


@dataclass(frozen=True)
class TaskDone:
    """A task in the span: runs by how they ended; each is in one of the counts. planned: that only planned, and could.
    seconds: that they took together.
    """

    task: str
    runs: int
    effective: int
    nothing_to_do: int
    ineffective: int
    failed: int
    planned: int
    other: int
    actions: int
    freed_bytes: int
    seconds: float


@dataclass(frozen=True)
class DayDone:
    """A day of the span. begins_at: of the day, 24 hours each from the beginning of the span."""

    begins_at: float
    good: int
    trouble: int
    other: int
    freed_bytes: int


@dataclass(frozen=True)
class Open:
    """One thing that waits for somebody. kind: ``alert``, ``approval``, ``breaker``, ``pause``, ``problem``. todo: a
    command, or empty. count: of how many things it tells.
    """

    kind: str
    what: str
    since: float | None = None
    todo: str = ""
    count: int = 1


@dataclass(frozen=True)
class Change:
    """What is not as it was at the last report.

    kind: ``config``, ``image``, ``finding``, ``package`` (changed by our own runs), ``package-by-others``, ``more``.
    """

    kind: str
    what: str


@dataclass(frozen=True)
class FillsUp:
    """A thing that grows. full_from, full_until: the earliest and the latest that is likely; both None where it is not
    foretold to be full, and ``says`` then tells why. used_ratio: of its limit, None where it has none. error: what
    earlier forecasts were off, for people. foretold: whether anything could be foretold of it.
    """

    name: str
    used_ratio: float | None
    full_from: float | None
    full_until: float | None
    error: str = ""
    says: str = ""
    foretold: bool = True


@dataclass(frozen=True)
class RemedyStands:
    """track: how it has done, for people. suggestion: what it could be promoted to and why, empty where nothing."""

    name: str
    task: str
    autonomy: str
    track: str
    suggestion: str = ""
    changed: str = ""


@dataclass(frozen=True)
class BackupStands:
    """The newest set of a series, and the newest proof of any of its sets. proof: which one; empty for none."""

    name: str
    newest_at: float | None
    sets: int
    bytes: int
    proof: str = ""
    proven_at: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class State:
    """What the next report compares with."""

    config: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, str] = field(default_factory=dict)
    """Messages by id: the task that found it, and its own id there, as in ``security-review/port:tcp/80``."""
    looked: Mapping[str, float] = field(default_factory=dict)
    """When each of these tasks last looked; none of one that never did."""
    partly: Collection[str] = ()
    """Those of them that could not look at everything."""


@dataclass(frozen=True)
class Report:
    """All of it. regular: one that went out, with which the next one compares. unknown: what could not be looked at."""

    host: str
    version: str
    made_at: float
    since: float
    until: float
    regular: bool
    done: Sequence[TaskDone]
    days: Sequence[DayDone]
    troubles: Sequence[Trouble]
    open: Sequence[Open]
    changes: Sequence[Change]
    compared_with: float | None
    fills_up: Sequence[FillsUp]
    remedies: Sequence[RemedyStands]
    backups: Sequence[BackupStands]
    alerts_begun: int
    alerts_helped: int
    verdicts: Mapping[str, int]
    state: State
    unknown: Sequence[str] = ()
    unseen: Collection[Part] = ()
    """Parts that could not be looked at: that they are empty says nothing."""

    @property
    def runs(self) -> int:
        return sum(one.runs for one in self.done)

    @property
    def planned(self) -> int:
        """Of the runs."""
        return sum(one.planned for one in self.done)

    @property
    def open_count(self) -> int:
        return sum(one.count for one in self.open)

    @property
    def further_troubles(self) -> int:
        """Runs without success of which no row of ``troubles`` tells."""
        return max(0, self.in_trouble - sum(one.count for one in self.troubles))

    @property
    def freed_bytes(self) -> int:
        return sum(one.freed_bytes for one in self.done)

    @property
    def in_trouble(self) -> int:
        return sum(one.failed + one.ineffective for one in self.done)

    def document(self) -> dict[str, Any]:
        """As JSON, its times RFC 3339 to the millisecond: the next report tells this one from itself."""
        found = _with_times(asdict(self))
        totals = {
            "runs": self.runs,
            "planned": self.planned,
            "freed_bytes": self.freed_bytes,
            "in_trouble": self.in_trouble,
            "open": self.open_count,
        }
        return {"format": VERSION, **found, "totals": totals}


def _with_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _time(part) if _is_time(key) else _with_times(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_times(part) for part in value]
    return value


def _is_time(key: str) -> bool:
    return key.endswith("_at") or key in ("since", "until", "compared_with", "full_from", "full_until")


def _time(value: Any) -> Any:
    return format_time_ms(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
