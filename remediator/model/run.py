"""One execution of a task, and what it was asked for by."""

from dataclasses import dataclass
from typing import Literal

from remediator.model.task import Measurement

State = Literal["queued", "measuring", "planning", "applying", "verifying", "finished"]


Outcome = Literal["effective", "ineffective", "failed", "nothing-to-do", "planned", "blocked", "expired", "cancelled"]


Trigger = Literal["alert", "cli", "api"]


@dataclass(frozen=True)
class Run:
    """One execution of a task, as far as it has come."""

    id: int
    task: str
    target: str
    trigger: Trigger
    remedy: str | None
    dry_run: bool
    state: State
    requested_at: float
    started_at: float | None
    planned_at: float | None
    before: Measurement | None
    after: Measurement | None


@dataclass(frozen=True)
class Request:
    """A run that is asked for."""

    task: str
    target: str
    trigger: Trigger
    dry_run: bool
    remedy: str | None = None
    alert_id: int | None = None


@dataclass(frozen=True)
class ActionResult:
    """How one action ended."""

    state: Literal["done", "partial", "skipped", "failed"]
    detail: str
    freed_bytes: int = 0
