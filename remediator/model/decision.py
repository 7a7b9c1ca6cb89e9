"""What is decided about an alert."""

from collections.abc import Sequence
from dataclasses import dataclass

from remediator.config.remedies import Remedy
from remediator.model.words import Verdict


@dataclass(frozen=True)
class Selection:
    """A remedy that matches an alert, and the target that it selects; None where the alert names none, and why."""

    remedy: Remedy
    target: str | None
    why_none: str = ""


@dataclass(frozen=True)
class Decision:
    """What one remedy does about one alert now, and why."""

    verdict: Verdict
    reason: str
    selection: Selection | None = None
    guard: str | None = None


@dataclass(frozen=True)
class Try:
    """A run of a remedy for the same episode. outcome and ended_at (Unix seconds) are None while it is under way.

    by_person: a person has cancelled it.
    """

    run_id: int
    remedy: str | None
    dry_run: bool
    outcome: str | None
    ended_at: float | None
    by_person: bool = False


@dataclass(frozen=True)
class Look:
    """The result of looking at an alert. due_at: when to look again, in Unix seconds; None: when something happens.

    A run that the look starts, or that is under way, is such an event when it ends.
    """

    decisions: Sequence[Decision] = ()
    due_at: float | None = None
