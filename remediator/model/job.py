"""A job of the schedule as the record has it: how far it has come, and its due times. Times are Unix seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from remediator.model.words import DueState, Outcome


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """How far a job has come.

    task to timezone: as the schedule had them when it was last looked at. since: from when on its times count.
    handled_until: no due time up to then is still to be looked at. done_until: the last due time that was done, or need
    not be. missed: how many due times were missed so far.
    """

    name: str
    task: str
    target: str | None
    at: str
    timezone: str
    since: float
    handled_until: float
    done_until: float
    missed: int = 0
    removed_at: float | None = None
    last_due_at: float | None = None
    """The last due time that was run for."""
    last_run_at: float | None = None
    last_outcome: Outcome | None = None
    last_success_at: float | None = None


@dataclass(frozen=True)
class DueTarget:
    """What became of one target at a due time. run_id: the run that was started; else why none was, so far."""

    target: str
    run_id: int | None = None
    guard: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class DueTime:
    """A due time of a job and what became of it; or, of those that were missed, several in a row.

    first_due_at, count: of the first of them, and how many. give_up_at: until when it is tried while guards block it;
    retry_at: when the guard ends that blocks it, if a time ends it.
    """

    id: int
    job: str
    due_at: float
    first_due_at: float
    count: int
    state: DueState
    reason: str
    decided_at: float
    targets: Sequence[DueTarget] = ()
    outcome: Outcome | None = None
    retry_at: float | None = None
    give_up_at: float | None = None
    finished_at: float | None = None

    @property
    def run_ids(self) -> list[int]:
        """The runs that were started for it."""
        return [each.run_id for each in self.targets if each.run_id is not None]
