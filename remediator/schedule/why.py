"""Why a job did or did not run at a time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from exporter.base.text import counted
from remediator.config.cron import Cron
from remediator.config.schedule import Job
from remediator.config.timezones import zone_name
from remediator.model.job import DueTime, JobRecord
from remediator.model.words import DueState

MINUTE = 60.0
_EARLIEST, _LATEST = 1970, 2200
"""Years that are asked about."""


@dataclass(frozen=True)
class Why:
    """answer: for people. due: what the record has of that time. before, after: the nearest due times (Unix seconds).

    state: of that time; ``not-due``, ``to-come``, or ``unknown`` where the record has nothing of it.
    """

    state: DueState | str
    answer: str
    due: DueTime | None
    before: float | None
    after: float | None


def parse_moment(text: str, zone: tzinfo, now: float) -> float:
    """A time as people write it: RFC 3339, or without a zone in that of the schedule; a time of the day alone is the
    last one. Raises ValueError.
    """
    today = datetime.fromtimestamp(now, zone)
    try:
        if len(text) <= 5:
            clock = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - the zone is put in below
            found = datetime.combine(today.date(), clock, tzinfo=zone)
            return found.timestamp() if found.timestamp() <= now else found.timestamp() - 86400
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-27 02:00, or 02:00 for the last one") from None
    if not _EARLIEST <= found.year < _LATEST:  # no calendar is asked of what its arithmetic cannot reach
        raise ValueError(f"{text!r} is too far away; write a time between {_EARLIEST} and {_LATEST}")
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).timestamp()


def why(job: Job, cron: Cron, record: JobRecord | None, history: Sequence[DueTime], at: float, now: float) -> Why:
    """history: what the record has of the job around that time, newest first."""
    before, after = cron.last(at + MINUTE - 1), cron.after(at + MINUTE - 1)
    found = next((due for due in history if due.first_due_at - MINUTE < at < due.due_at + MINUTE), None)
    show = _Shown(cron.zone)
    if found is not None:
        return Why(found.state, _of_due(found, show), found, before, after)
    if before is None or at - before >= MINUTE:
        around = " and ".join(show(each) for each in (before, after) if each is not None)
        return Why("not-due", f"it was not due then; the nearest times are {around}", None, before, after)
    if before > now:
        return Why("to-come", f"{show(before)} is still to come", None, before, after)
    return Why("unknown", _without_record(job, record, before, show), None, before, after)


@dataclass(frozen=True)
class _Shown:
    zone: tzinfo

    def __call__(self, moment: float) -> str:
        return f"{datetime.fromtimestamp(moment, self.zone):%Y-%m-%d %H:%M} {zone_name(self.zone)}"


def _of_due(due: DueTime, show: _Shown) -> str:
    runs = ", ".join(f"run {number}" for number in due.run_ids)
    because = f": {due.reason}" if due.reason else ""
    match due.state:
        case "ran" if not runs:
            return f"it was due at {show(due.due_at)}, and there was nothing to run{because}"
        case "ran":
            late = f" ({due.reason})" if due.reason else ""
            return f"it ran for {show(due.due_at)}{late}: {runs}, {due.outcome}"
        case "running":
            return f"it is running for {show(due.due_at)}: {runs}"
        case "waiting":
            return f"it is due since {show(due.due_at)} and waits{because}; it is tried until {_until(due, show)}"
        case "blocked":
            return f"it was due at {show(due.due_at)} and did not run{because}"
        case "missed" if due.count > 1:
            span = f"{show(due.first_due_at)} to {show(due.due_at)}"
            return f"it did not run: {counted(due.count, 'time')} from {span} were missed{because}"
        case _:
            return f"it did not run for {show(due.due_at)}{because}"


def _until(due: DueTime, show: _Shown) -> str:
    return "it may run" if due.give_up_at is None else show(due.give_up_at)


def _without_record(job: Job, record: JobRecord | None, due: float, show: _Shown) -> str:
    if record is None:
        return f"no remediator has run with {job.name} in its schedule so far: a job begins with the first start"
    if due <= record.since:
        return f"it was not in the schedule then: it is since {show(record.since)}"
    if due > record.handled_until:
        return "no remediator has looked at the schedule since then: is one running?"
    return "the record has nothing of that time: it is older than the record is kept, or the schedule was another then"
