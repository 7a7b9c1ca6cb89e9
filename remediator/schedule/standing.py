"""How each job stands: when it is next due, and whether it is overdue. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from remediator.config.schedule import Job
from remediator.model.job import JobRecord
from remediator.schedule.calendar import Calendar
from remediator.schedule.due import begins_at


@dataclass(frozen=True)
class Standing:
    """One job. record: None before the first look at it. Times are Unix seconds.

    next_at: when it begins next; None: never. overdue_at: when it counts as overdue unless it is done by then. busy:
    its runs are under way, so that it is not overdue.
    """

    job: Job
    record: JobRecord | None
    next_due_at: float | None
    next_at: float | None
    overdue_at: float | None
    busy: bool

    def is_overdue(self, now: float) -> bool:
        return self.overdue_at is not None and self.overdue_at <= now and not self.busy


def standings(
    calendar: Calendar, records: Mapping[str, JobRecord], busy: Collection[str], host: str, now: float
) -> Sequence[Standing]:
    """Each job of the calendar. busy: those with runs under way."""
    return [_standing(job, calendar, records.get(job.name), job.name in busy, host, now) for job in calendar.jobs]


def _standing(job: Job, calendar: Calendar, record: JobRecord | None, busy: bool, host: str, now: float) -> Standing:
    cron = calendar.crons[job.name]
    known = record if record is not None and record.removed_at is None else None
    due = cron.after(min(known.handled_until, now) if known is not None else now)
    to_do = None if known is None else cron.after(max(known.done_until, known.since))
    return Standing(
        job=job,
        record=record,
        next_due_at=due,
        next_at=None if due is None else begins_at(job, host, due),
        overdue_at=None if to_do is None else begins_at(job, host, to_do) + job.grace,
        busy=busy,
    )
