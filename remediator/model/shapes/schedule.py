"""Jobs, their due times, and why one did or did not run."""

from typing import Literal

from typing_extensions import TypedDict

from remediator.config.autonomy import Autonomy
from remediator.model.words import DueState


class DueTargetView(TypedDict):
    """One target at a due time: the run that was started, else the guard that blocks, and why."""

    target: str
    run: int | None
    guard: str | None
    reason: str


class DueView(TypedDict):
    """What became of a due time of a job; of several in a row, where ``count`` of them were missed."""

    due_at: str
    first_due_at: str
    count: int
    state: DueState
    outcome: str | None
    reason: str
    targets: list[DueTargetView]
    decided_at: str
    finished_at: str | None


class JobView(TypedDict):
    """A job of the schedule. ``next_at``: when it begins next; null: never. ``missed``: how many due times so far.

    ``recent`` are its last due times, newest first. ``autonomy`` is how it runs its task; null where that has parts, of
    which each is run by what it is.
    """

    name: str
    at: str
    timezone: str
    task: str
    target: str | None
    autonomy: Autonomy | None
    catch_up: Literal["once", "skip", "all"]
    next_at: str | None
    last_due_at: str | None
    last_outcome: str | None
    last_success_at: str | None
    missed: int
    overdue: bool
    recent: list[DueView]


class WhyView(TypedDict):
    """Why a job did or did not run at a time. ``before`` and ``after`` are the nearest times at which it is due.

    ``state`` is that of the due time, or ``not-due``, ``to-come``, or ``unknown``: nothing is in the record.
    """

    job: str
    asked_at: str
    timezone: str
    state: str
    answer: str
    due: DueView | None
    before: str | None
    after: str | None
