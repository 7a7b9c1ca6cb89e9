"""Which due times of a job are to be run for now, and which were missed. Pure: the clock's time is passed in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import islice, takewhile
from typing import Literal

from exporter.base.units import format_duration
from remediator.config.cron import Cron
from remediator.config.schedule import Job
from remediator.config.timezones import zone_name
from remediator.model.job import JobRecord

ON_TIME = 60.0
"""Seconds that a start may take; what begins later than that is late, and subject to ``catch_up:``."""
MOST = 100
"""Due times of one job that are made up by ``catch_up: all``, the newest."""
COUNTED = 1000
"""Missed due times are counted up to so many at once."""


@dataclass(frozen=True)
class Owed:
    """A due time that has come, or several in a row that were missed."""

    due_at: float
    what: Literal["run", "missed", "skipped"]
    reason: str = ""
    first_due_at: float = 0.0
    count: int = 1

    @classmethod
    def passed(cls, times: Sequence[float], reason: str) -> "Owed":
        return cls(times[-1], "missed", reason, times[0], len(times))


@dataclass(frozen=True)
class Look:
    """What a look at a job led to. handled_until: the position that it has then."""

    owed: Sequence[Owed]
    handled_until: float


def begins_at(job: Job, host: str, due_at: float) -> float:
    """When a run for a due time begins: later by the jitter, which is the same each time that it is asked for."""
    if not job.jitter:
        return due_at
    digest = blake2b(f"{host}\0{job.name}\0{due_at:.0f}".encode(), digest_size=8).digest()
    return due_at + job.jitter * int.from_bytes(digest) / 2**64


def look(
    job: Job, cron: Cron, host: str, handled_until: float, now: float, *, taken: Collection[float] = (), late: str
) -> Look:
    """The due times since the last look that have come by now.

    handled_until: the job's position; one in the future means that the clock was set back. taken: due times that are in
    the record already, for the same reason. late: why some may be late, for people.
    """
    position = min(handled_until, now)
    horizon = now - max(job.catch_up_within, ON_TIME + job.jitter)
    owed = []
    if position < horizon:
        older = list(islice(cron.between(position, horizon), COUNTED))
        if older:
            reason = f"{late}, for longer than {format_duration(job.catch_up_within)} (catch_up_within)"
            owed.append(_too_old(older, cron, horizon, reason))
        position = horizon
    # Up to the first that is not to begin yet: a later one may be, where the jitter is longer than the interval.
    come = list(takewhile(lambda due: begins_at(job, host, due) <= now, cron.between(position, now)))
    owed += _by_policy(job, host, [due for due in come if due not in taken], now, late)
    return Look(owed, come[-1] if come else position)


def _too_old(times: Sequence[float], cron: Cron, until: float, reason: str) -> Owed:
    """Due times that are missed in any case; of more than COUNTED the last is looked for."""
    if len(times) < COUNTED:
        return Owed.passed(times, reason)
    last = cron.last(until)
    return Owed(times[-1] if last is None else last, "missed", f"{reason}; {COUNTED} or more", times[0], COUNTED)


def _by_policy(job: Job, host: str, times: Sequence[float], now: float, late: str) -> list[Owed]:
    """Of due times that have come, in order: which of them are run for."""
    fresh = [due for due in times if now - begins_at(job, host, due) <= ON_TIME]
    match job.catch_up:
        case "all":
            runs, reason = times[-MOST:], f"{late}; of so many the last {MOST} are made up"
        case "once":
            runs, reason = times[-1:], f"{late}; one run makes up for all (catch_up: once)"
        case "skip":
            runs, reason = fresh[-1:], f"{late} (catch_up: skip)"
    owed = []
    left = [due for due in times if due not in runs]
    if left:
        owed.append(Owed.passed(left, reason))
    for due in runs:
        behind = now - begins_at(job, host, due)
        owed.append(Owed(due, "run", f"{format_duration(round(behind))} late: {late}" if behind > ON_TIME else "", due))
    return owed


def look_after_change(
    job: Job, before: JobRecord, was: Cron, cron: Cron, host: str, now: float, *, taken: Collection[float], late: str
) -> Look:
    """The same for a job whose line in the schedule, or time zone, is not what it was at the last look.

    What had come by the schedule before is owed. Times that only the new one has, and that have passed, are not: it is
    about the future. But where the clocks changed and the times did not, as on a journey, a time of the day that was
    run for does not come again, and one that was jumped over is owed.
    """
    old = look(job, was, host, before.handled_until, now, taken=taken, late=late)
    owed = list(old.owed)
    if (before.task, before.target) != (job.task, job.target):
        return Look([_dropped(each) for each in owed], now)
    if before.at == job.at and cron.fixed and before.last_due_at is not None:
        clocks = f"from {before.timezone} to {zone_name(cron.zone)}"
        label = datetime.fromtimestamp(before.last_due_at, was.zone).replace(tzinfo=None)
        same = label.replace(tzinfo=cron.zone).timestamp()
        reason = f"it ran for {label:%Y-%m-%d %H:%M} already, before the clocks changed {clocks}"
        owed += [Owed(due, "skipped", reason, due) for due in cron.between(now, same)]
        if same < now and not any(each.what == "run" for each in owed):
            jumped = f"the clocks changed {clocks}"
            owed += look(job, cron, host, same, now, taken=taken, late=jumped).owed
    return Look(owed, now)


def _dropped(owed: Owed) -> Owed:
    if owed.what != "run":
        return owed
    return replace(owed, what="missed", reason="the schedule changed before it ran")
