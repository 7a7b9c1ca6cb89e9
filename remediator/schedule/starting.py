"""Starting what is due: for each target a run, unless a guard blocks it; then it is tried again for a while."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from remediator.config.schedule import Job
from remediator.guards.guard import Case, Subject
from remediator.guards.in_flight import block_by
from remediator.guards.judge import UNKNOWN_FOR, Gathered
from remediator.guards.paused import PAUSED
from remediator.model.caller import Caller
from remediator.model.hold import Block
from remediator.model.job import DueTarget, DueTime, JobRecord
from remediator.model.params import wrong
from remediator.model.run import Request
from remediator.model.task import Task
from remediator.model.tasks import made
from remediator.runs.targets import meant_by
from remediator.schedule.calendar import Calendar
from remediator.schedule.due import Owed, begins_at
from remediator.store import jobs, runs


@dataclass(frozen=True)
class Attempt:
    """A due time that is to be run for. targets: those without a run so far.

    number: of a due time that is in the record already. trouble: why its targets cannot be told.
    """

    job: Job
    due_at: float
    targets: Sequence[str] = ()
    number: int | None = None
    reason: str = ""
    give_up_at: float = 0.0
    trouble: str = ""


async def with_targets(attempt: Attempt, tasks: Mapping[str, Task]) -> Attempt:
    """With the targets that its job means now."""
    job = attempt.job
    task = await made(tasks, job.task)
    if task is None:
        return replace(attempt, trouble=f"there is no task {job.task}")
    mistake = wrong(job.task, task.parameters, job.params)
    if mistake is not None:
        return replace(attempt, trouble=str(mistake))
    try:
        return replace(attempt, targets=await meant_by(task, job.target))
    except UpkeeperError as error:
        return replace(attempt, trouble=f"the targets of {job.task} cannot be told: {error}")


def patience(job: Job, calendar: Calendar, host: str, owed: Owed, now: float) -> float:
    """Until when it is tried while guards block it (Unix seconds): not past its next time, unless each is made up."""
    if job.catch_up == "all":
        return now + max(job.catch_up_within, job.retry_within)
    following = calendar.crons[job.name].after(max(now, owed.due_at))
    ends = [now + job.retry_within, *([begins_at(job, host, following)] if following is not None else [])]
    return min(ends)


@dataclass
class Starting:
    """Starts runs in a transaction, by facts that were gathered before it. made: the runs so far."""

    host: str
    gathered: Gathered
    subjects: Mapping[tuple[str, str], Subject]
    """What the guards know about: by job and target. Its runs are dry where it only observes."""
    now: float
    made: list[int] = field(default_factory=list)

    def start(self, connection: sa.Connection, what: Attempt, record: JobRecord) -> JobRecord:
        """Stores the due time and the runs for it; the job's position after that."""
        due = self._due(connection, what)
        if due is None or due.state != "waiting":
            return record  # another process was faster
        targets = {each.target: each for each in due.targets}
        blocks = []
        for target in what.targets:
            targets[target], block = self._try(connection, what.job, target)
            blocks += [block] if block is not None else []
        return self._settle(connection, due, what, list(targets.values()), blocks, record)

    def _due(self, connection: sa.Connection, what: Attempt) -> DueTime | None:
        number = what.number
        if number is None:
            number = jobs.note(
                connection, self.host, what.job.name, what.due_at, "waiting", self.now,
                reason=what.reason, give_up_at=what.give_up_at,
            )  # fmt: skip
        return None if number is None else jobs.get(connection, number)

    def _try(self, connection: sa.Connection, job: Job, target: str) -> tuple[DueTarget, Block | None]:
        subject = self.subjects[job.name, target]
        block = self.gathered.judge(Case(subject, subject.settings, self.now)).first
        if block is None:
            request = Request(
                host=self.host,
                task=job.task,
                target=target,
                caller=Caller("schedule", job.name),
                dry_run=subject.observing,
                params=job.params,
            )
            run_id, new = runs.create_unless_in_flight(connection, request, self.now)
            self.gathered.add_run(subject, run_id)
            if new:
                self.made.append(run_id)
                return DueTarget(target, run_id), None
            block = block_by(run_id)
        return DueTarget(target, None, block.guard, block.reason), block

    def _settle(
        self,
        connection: sa.Connection,
        due: DueTime,
        what: Attempt,
        targets: Sequence[DueTarget],
        blocks: Sequence[Block],
        record: JobRecord,
    ) -> JobRecord:
        settle = partial(jobs.settle, connection, due.id, targets=targets)
        started = any(each.run_id is not None for each in targets)
        if started:
            record = replace(record, last_due_at=due.due_at, last_run_at=self.now)
        if not blocks and not what.trouble:
            if started:
                settle("running")
                return record
            reason = f"{what.job.task} has no target: nothing of its kind is configured"
            settle("ran", reason=reason, outcome="nothing-to-do", finished_at=self.now)
            return replace(record, done_until=max(record.done_until, due.due_at))
        if self.now < what.give_up_at:
            ends = [self.now + UNKNOWN_FOR] if what.trouble else [block.until for block in blocks]
            later = min((end for end in ends if end is not None), default=None)
            settle("waiting", reason=_why(what, blocks), retry_at=later)
            return record
        reason = f"given up: {_why(what, blocks)}"
        if started:
            settle("running", reason=reason)
        else:
            jobs.give_up(connection, self.host, replace(due, targets=targets), reason, self.now)
        wanted = bool(blocks) and all(block.guard == PAUSED.name for block in blocks)
        return replace(record, done_until=max(record.done_until, due.due_at)) if wanted else record


def _why(what: Attempt, blocks: Sequence[Block]) -> str:
    """For people: what holds it back."""
    if what.trouble:
        return what.trouble
    first = blocks[0]
    more = f" (and {counted(len(blocks) - 1, 'target')} more)" if len(blocks) > 1 else ""
    return f"{first.guard}: {first.reason}{more}"
