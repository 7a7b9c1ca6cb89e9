"""A silence that Upkeeper wants in Alertmanager for a while, and whether it still does. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from remediator.model.silence import Matcher

Purpose = Literal["page", "pause"]


@dataclass(frozen=True)
class Lease:
    """Times are Unix seconds. until: when what is ``held`` ends by itself; None while nothing is.

    held: by URL of an Alertmanager, the id that the silence has there. Of a page: alert_id, and whether that fires; the
    run's state, its outcome, and when it finished.
    """

    id: int
    purpose: Purpose
    matchers: Sequence[Matcher]
    comment: str
    since: float
    until: float | None = None
    held: Mapping[str, str] = field(default_factory=dict)
    run_id: int | None = None
    task: str | None = None
    remedy: str | None = None
    state: str | None = None
    outcome: str | None = None
    finished_at: float | None = None
    alert_id: int | None = None
    firing: bool = False

    @property
    def settling(self) -> bool:
        """Its run has done its part, and the alert is to end by that."""
        return self.purpose == "page" and self.finished_at is not None


HEALTHY = frozenset({"effective", "nothing-to-do"})
"""Outcomes after which the alert should end by itself."""


def over(lease: Lease, settle: float, now: float) -> str | None:
    """Why it is no longer wanted, for people; None while it is. settle: seconds in which an alert ends after a run."""
    if lease.purpose == "pause":
        return "the pause is over" if lease.until is not None and lease.until <= now else None
    if lease.state is None:
        return "its run is gone"
    if lease.state == "waiting":
        return "the run waits for a person"
    if lease.finished_at is None:
        return None
    if lease.outcome not in HEALTHY:
        return f"the run was {lease.outcome}"
    if not lease.firing:
        return ENDED
    return "the alert did not end after the run" if now >= lease.finished_at + settle else None


ENDED = "the alert has ended"
"""Why a lease is over that nobody need hear of."""
