"""An episode of an alert with what was done about it, for those who are told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from remediator.model.evidence import Section


@dataclass(frozen=True)
class Ran:
    """The newest run for an alert. Times are Unix seconds. until: when an approval expires that it waits for."""

    id: int
    task: str
    target: str
    remedy: str
    state: str
    outcome: str | None
    reason: str
    requested_at: float
    started_at: float | None
    finished_at: float | None
    waits_since: float | None = None
    approval: int | None = None
    until: float | None = None
    held_until: float | None = None
    """Until when its page was held back; infinite while it is, None where it never was."""


@dataclass(frozen=True)
class Decided:
    """The newest decision about an alert. at: since when it is so."""

    verdict: str
    guard: str | None
    remedy: str | None
    task: str | None
    target: str | None
    reason: str
    at: float


@dataclass(frozen=True)
class Story:
    """All that is known of an episode. said: what was told of it last, by the way of telling."""

    alert_id: int
    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    ends_at: float | None
    first_received_at: float
    muted: str | None = None
    due_at: float | None = None
    run: Ran | None = None
    decision: Decided | None = None
    said: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """What a run did. actions: the first ones, each with what became of it; count: how many there are."""

    actions: Sequence[tuple[str, str]] = ()
    count: int = 0
    freed_bytes: int = 0
    evidence: Sequence[Section] = ()
