"""The schedule: what runs when, what became of it, and why."""

from collections.abc import Callable, Mapping
from functools import partial

import sqlalchemy as sa

from exporter.base.text import format_time_ms, nearest
from remediator.config.config import Config
from remediator.model.errors import bad_request, not_found
from remediator.model.job import DueTime
from remediator.model.shapes.answers import Page
from remediator.model.shapes.schedule import DueView, JobView, WhyView
from remediator.model.task import Task
from remediator.schedule.calendar import Calendar
from remediator.schedule.standing import Standing, standings
from remediator.schedule.why import parse_moment, why
from remediator.store import jobs
from remediator.store.database import Database

RECENT = 10
"""Due times of a job that are listed, the newest."""


class Scheduling:
    """Reads the schedule and its record, so that it works without a running remediator."""

    def __init__(
        self,
        database: Database,
        config: Callable[[], Config],
        tasks: Callable[[], Mapping[str, Task]],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._config = config
        self._tasks = tasks
        self._clock = clock

    async def schedule(self) -> Page[JobView]:
        """The jobs in their order."""
        now, host, calendar = self._clock(), self._database.host, self._calendar()

        def read(connection: sa.Connection) -> list[JobView]:
            records = jobs.records(connection, host)
            busy = {due.job for due in jobs.open_ones(connection, host) if due.state == "running"}
            recent = jobs.newest(connection, host, RECENT)
            return [
                self._job(each, calendar, recent.get(each.job.name, []), now)
                for each in standings(calendar, records, busy, host, now)
            ]

        return {"items": await self._database.read(read), "next": None}

    async def schedule_why(self, job: str, at: str | None = None) -> WhyView:
        """Why a job did or did not run at a time; without one, at the last time that it was due."""
        now, host, calendar = self._clock(), self._database.host, self._calendar()
        found = calendar.job(job)
        if found is None:
            names = [each.name for each in calendar.jobs]
            hint = nearest(job, names) or (f"the jobs are: {', '.join(names)}" if names else "there is none")
            raise not_found(f"there is no job {job!r} in the schedule; {hint}")
        cron = calendar.crons[job]
        try:
            moment = (cron.last(now) or now) if at is None else parse_moment(at, calendar.zone, now)
        except ValueError as error:
            raise bad_request(str(error)) from error
        record = (await self._database.read(partial(jobs.records, host=host))).get(job)
        around = partial(jobs.history, host=host, job=job, since=moment - 120, until=moment + 120, limit=RECENT)
        answer = why(found, cron, record, await self._database.read(around), moment, now)
        return {
            "job": job,
            "asked_at": format_time_ms(moment),
            "timezone": calendar.timezone,
            "state": answer.state,
            "answer": answer.answer,
            "due": None if answer.due is None else _due(answer.due),
            "before": _maybe(answer.before),
            "after": _maybe(answer.after),
        }

    def _calendar(self) -> Calendar:
        return Calendar.of(self._config().schedule)

    def _job(self, standing: Standing, calendar: Calendar, history: list[DueTime], now: float) -> JobView:
        job, record = standing.job, standing.record
        task = self._tasks().get(job.task)
        by_itself = None if task is None or task.facts.parts else task.facts.unattended
        return {
            "name": job.name,
            "at": job.at,
            "timezone": calendar.timezone,
            "task": job.task,
            "target": job.target,
            "autonomy": job.autonomy or by_itself,
            "catch_up": job.catch_up,
            "next_at": _maybe(standing.next_at),
            "last_due_at": _maybe(record.last_due_at if record else None),
            "last_outcome": record.last_outcome if record else None,
            "last_success_at": _maybe(record.last_success_at if record else None),
            "missed": record.missed if record else 0,
            "overdue": standing.is_overdue(now),
            "recent": [_due(due) for due in history],
        }


def _maybe(moment: float | None) -> str | None:
    return None if moment is None else format_time_ms(moment)


def _due(due: DueTime) -> DueView:
    return {
        "due_at": format_time_ms(due.due_at),
        "first_due_at": format_time_ms(due.first_due_at),
        "count": due.count,
        "state": due.state,
        "outcome": due.outcome,
        "reason": due.reason,
        "targets": [
            {"target": each.target, "run": each.run_id, "guard": each.guard, "reason": each.reason}
            for each in due.targets
        ],
        "decided_at": format_time_ms(due.decided_at),
        "finished_at": _maybe(due.finished_at),
    }
