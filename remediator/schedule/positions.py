"""How far each job is after a look at the schedule, and what has come since the last one. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from remediator.config.schedule import Job
from remediator.model.job import JobRecord
from remediator.schedule.calendar import Calendar, cron_of
from remediator.schedule.due import Look, Owed, look, look_after_change


@dataclass
class Positions:
    """records: those that changed. due: what is to be run for. passed: what was missed or is skipped."""

    records: list[JobRecord] = field(default_factory=list)
    due: list[tuple[Job, Owed]] = field(default_factory=list)
    passed: list[tuple[Job, Owed]] = field(default_factory=list)


@dataclass(frozen=True)
class Moment:
    """When and where a look is taken. late: why something may be late, for people."""

    host: str
    now: float
    late: str


def set_back(records: Mapping[str, JobRecord], now: float) -> float:
    """By how many seconds the clock was set back since the last look; 0 if it was not."""
    return max((record.handled_until - now for record in records.values() if record.removed_at is None), default=0.0)


def has_come(calendar: Calendar, records: Mapping[str, JobRecord], now: float) -> bool:
    """Whether anything has: else there is no need to know which due times are in the record."""
    return any(_has_come(job, records.get(job.name), calendar, now) for job in calendar.jobs)


def positions(
    calendar: Calendar, records: Mapping[str, JobRecord], taken: Mapping[str, Collection[float]], moment: Moment
) -> Positions:
    """Looks at each job. taken: due times that are in the record already, by job."""
    found = Positions()
    for job in calendar.jobs:
        before = records.get(job.name)
        if before is None or before.removed_at is not None:
            found.records.append(_new(job, calendar, moment.now, before))
            continue
        seen = _look(job, before, calendar, taken.get(job.name, ()), moment)
        for owed in seen.owed:
            (found.due if owed.what == "run" else found.passed).append((job, owed))
        after = _moved(job, before, calendar, seen)
        if after != before:
            found.records.append(after)
    kept = {job.name for job in calendar.jobs}
    gone = [record for record in records.values() if record.name not in kept and record.removed_at is None]
    found.records += [replace(record, removed_at=moment.now) for record in gone]
    return found


def _new(job: Job, calendar: Calendar, now: float, before: JobRecord | None) -> JobRecord:
    """A job that was not in the schedule: its times count from now on."""
    spec = {"task": job.task, "target": job.target, "at": job.at, "timezone": calendar.timezone}
    start = {"since": now, "handled_until": now, "done_until": now}
    if before is None:
        return JobRecord(name=job.name, **spec, **start)  # type: ignore[arg-type]
    return replace(before, **spec, **start, removed_at=None)  # type: ignore[arg-type]


def _is_changed(job: Job, before: JobRecord, calendar: Calendar) -> bool:
    spec = (job.task, job.target, job.at, calendar.timezone)
    return (before.task, before.target, before.at, before.timezone) != spec


def _has_come(job: Job, before: JobRecord | None, calendar: Calendar, now: float) -> bool:
    if before is None or before.removed_at is not None or _is_changed(job, before, calendar):
        return True
    due = calendar.crons[job.name].after(min(before.handled_until, now))
    return due is not None and due <= now


def _look(job: Job, before: JobRecord, calendar: Calendar, taken: Collection[float], moment: Moment) -> Look:
    cron = calendar.crons[job.name]
    if _is_changed(job, before, calendar):
        was = cron_of(before.at, before.timezone)
        return look_after_change(job, before, was, cron, moment.host, moment.now, taken=taken, late=moment.late)
    if not _has_come(job, before, calendar, moment.now):
        return Look((), min(before.handled_until, moment.now))
    return look(job, cron, moment.host, before.handled_until, moment.now, taken=taken, late=moment.late)


def _moved(job: Job, before: JobRecord, calendar: Calendar, seen: Look) -> JobRecord:
    """A due time that nobody wanted run needs not be done; one that was missed still is."""
    let_be = [
        owed.due_at
        for owed in seen.owed
        if owed.what == "skipped" or (owed.what == "missed" and job.catch_up == "skip")
    ]
    return replace(
        before,
        task=job.task,
        target=job.target,
        at=job.at,
        timezone=calendar.timezone,
        handled_until=seen.handled_until,
        done_until=max([before.done_until, *let_be]),
        missed=before.missed + sum(owed.count for owed in seen.owed if owed.what == "missed"),
    )


def to_shorten(
    calendar: Calendar, missed: Sequence[tuple[str, float, float]], now: float
) -> list[tuple[str, float, tuple[float, int] | None]]:
    """What becomes of due times that were missed by a clock that has been set back since: they are still to come.

    missed: job, first and last of each. Of each: job, last, and what is left of it: the last and how many; None for
    none.
    """
    return [(job, last, _left(calendar, job, first, now)) for job, first, last in missed]


def _left(calendar: Calendar, job: str, first: float, now: float) -> tuple[float, int] | None:
    cron = calendar.crons.get(job)
    times = list(cron.between(first - 1, now)) if cron is not None else []
    return (times[-1], len(times)) if times else None
