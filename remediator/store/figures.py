"""What was done in a span of time, counted by the database: a report reads no run one by one.

A run belongs to the span in which it finished. Runs of fire drills are left out. since, until: Unix seconds; the end
does not belong to the span.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from remediator.statedir import DRILL_TARGET
from remediator.store import artefacts as artefacts_of
from remediator.store.tables import actions, alerts, artefacts, decisions, run_rows, runs

DAY = 86400.0
MOST_TROUBLES = 20
DID_NOTHING = ("nothing-to-do", "planned", "blocked", "denied")
"""Outcomes of runs none of whose actions was done: these need not be looked at."""
MOST_ALERTS = 50
MOST_RUNS, MOST_ROWS = 40, 2000


@dataclass(frozen=True, slots=True)
class Span:
    """host: whose runs. without: tasks that are not counted."""

    host: str
    since: float
    until: float
    without: Collection[str] = ()

    @property
    def finished(self) -> Sequence[sa.ColumnElement[bool]]:
        """The runs of the span, found by when they finished and not by their host, of which there are many more: SQLite
        takes a host's name for rare, and then reads its rows in the order of their tasks, which takes twice as long.
        """
        return (
            runs.c.host.concat("") == self.host,
            runs.c.finished_at >= self.since,
            runs.c.finished_at < self.until,
            runs.c.target != DRILL_TARGET,
            runs.c.task.not_in(list(self.without)),
        )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Runs of a task on one day, counted from the beginning of the span, from 0. seconds: that they took together."""

    day: int
    task: str
    outcome: str
    dry_run: bool
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Deeds:
    """Actions of a task that were done, in full or in part, in runs of one day."""

    day: int
    task: str
    count: int
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """What did not go well, again and again: how often, and the last time."""

    task: str
    target: str
    outcome: str
    count: int
    last_run: int
    last_at: float
    reason: str


def outcomes(connection: sa.Connection, span: Span) -> Sequence[Outcomes]:
    """Runs by day, task and outcome."""
    seconds = sa.func.sum(runs.c.finished_at - sa.func.coalesce(runs.c.started_at, runs.c.finished_at))
    columns = (_day(connection, span.since).label("day"), runs.c.task, runs.c.outcome, runs.c.dry_run)
    select = sa.select(*columns, sa.func.count(), seconds).where(*span.finished).group_by(*columns)
    return [
        Outcomes(int(day), task, outcome or "", bool(dry), count, float(took or 0.0))
        for day, task, outcome, dry, count, took in connection.execute(select)
    ]


def deeds(connection: sa.Connection, span: Span) -> Sequence[Deeds]:
    """Actions that were done, and what they freed, by day and task."""
    columns = (_day(connection, span.since).label("day"), runs.c.task)
    select = (
        sa.select(*columns, sa.func.count(), sa.func.sum(actions.c.freed_bytes))
        .join(actions, actions.c.run_id == runs.c.id)
        .where(*span.finished, runs.c.outcome.not_in(DID_NOTHING), actions.c.state.in_(("done", "partial")))
        .group_by(*columns)
    )
    return [Deeds(int(day), task, count, int(freed or 0)) for day, task, count, freed in connection.execute(select)]


def _day(connection: sa.Connection, since: float) -> sa.ColumnElement[int]:
    """The number of a run's day. A cast cuts on SQLite and rounds on PostgreSQL, which has a floor in any case."""
    days = (runs.c.finished_at - sa.literal_column(repr(float(since)))) / sa.literal_column(repr(DAY))
    if connection.dialect.name == "sqlite":
        return sa.cast(days, sa.Integer)
    return sa.func.floor(days)


def troubles(connection: sa.Connection, span: Span) -> Sequence[Trouble]:
    """Runs that failed or did not help, the most frequent first."""
    columns = (runs.c.task, runs.c.target, runs.c.outcome)
    last = sa.func.max(runs.c.id).label("last")
    select = (
        sa.select(*columns, sa.func.count().label("count"), last)
        .where(*span.finished, runs.c.outcome.in_(("failed", "ineffective")))
        .group_by(*columns)
        .order_by(sa.desc("count"), last.desc())
        .limit(MOST_TROUBLES)
    )
    found = list(connection.execute(select))
    ids = [row.last for row in found]
    reasons = {
        id: (reason, at)
        for id, reason, at in connection.execute(
            sa.select(runs.c.id, runs.c.reason, runs.c.finished_at).where(runs.c.id.in_(ids))
        )
    }
    return [
        Trouble(row.task, row.target, row.outcome, row[3], row.last, reasons[row.last][1], reasons[row.last][0])
        for row in found
    ]


def verdicts(connection: sa.Connection, span: Span) -> Mapping[str, int]:
    """Decisions about alerts by verdict, repeats left out."""
    select = (
        sa.select(decisions.c.verdict, sa.func.count())
        .where(decisions.c.host == span.host, decisions.c.at >= span.since, decisions.c.at < span.until)
        .group_by(decisions.c.verdict)
    )
    return {row.verdict: row[1] for row in connection.execute(select)}


def episodes(connection: sa.Connection, span: Span) -> tuple[int, int]:
    """How many episodes of alerts began, and for how many of these a run helped."""
    mine = (alerts.c.first_received_at >= span.since, alerts.c.first_received_at < span.until)
    helped = (
        sa.select(sa.func.count(sa.distinct(runs.c.alert_id)))
        .join(alerts, alerts.c.id == runs.c.alert_id)
        .where(runs.c.host == span.host, runs.c.outcome == "effective", runs.c.dry_run.is_(False), *mine)
    )
    began = sa.select(sa.func.count()).select_from(alerts).where(*mine)
    return connection.scalar(began) or 0, connection.scalar(helped) or 0


def firing(connection: sa.Connection) -> tuple[int, Sequence[tuple[Mapping[str, str], Mapping[str, str], float]]]:
    """How many alerts fire; labels, annotations and beginning of the oldest of them. Reads the index of those."""
    here = alerts.c.status == "firing"
    count = connection.scalar(sa.select(sa.func.count()).select_from(alerts).where(here)) or 0
    columns = (alerts.c.labels, alerts.c.annotations, alerts.c.starts_at)
    select = sa.select(*columns).where(here).order_by(alerts.c.starts_at).limit(MOST_ALERTS)
    return count, [(labels, annotations, at) for labels, annotations, at in connection.execute(select)]


def firing_here(connection: sa.Connection, host: str) -> Sequence[tuple[Mapping[str, str], Mapping[str, str], float]]:
    """Labels, annotations and beginning of the oldest alerts that fire and are a host's to decide about."""
    select = (
        sa.select(alerts.c.labels, alerts.c.annotations, alerts.c.starts_at)
        .where(alerts.c.status == "firing", sa.or_(alerts.c.host.is_(None), alerts.c.host == host))
        .order_by(alerts.c.starts_at)
        .limit(MOST_ALERTS)
    )
    return [(labels, annotations, at) for labels, annotations, at in connection.execute(select)]


def partly(connection: sa.Connection, host: str, tasks: Collection[str], begins: str) -> Sequence[str]:
    """Those of the tasks whose run of ``last_rows`` has a note that begins so."""
    found = []
    for task in tasks:
        newest = _last_look(connection, host, task)
        if newest is not None and any(str(note).startswith(begins) for note in newest.notes or ()):
            found.append(task)
    return found


def _last_look(connection: sa.Connection, host: str, task: str) -> Any:
    """The newest run of a task on everything that could look: its id, when it ended, its notes."""
    return connection.execute(
        sa.select(runs.c.id, runs.c.finished_at, runs.c.notes)
        .where(runs.c.host == host, runs.c.task == task, runs.c.target == "all", runs.c.state == "finished",
               runs.c.outcome.in_(("nothing-to-do", "ineffective", "planned")))
        .order_by(runs.c.finished_at.desc()).limit(1)
    ).first()  # fmt: skip


def last_rows(
    connection: sa.Connection, host: str, tasks: Collection[str]
) -> Mapping[str, tuple[float, Sequence[Mapping[str, Any]]]]:
    """When the last run of each of these tasks on everything ended that could look, and the table that it left; none
    of a task that never ran.
    """
    found: dict[str, tuple[float, Sequence[Mapping[str, Any]]]] = {}
    for task in tasks:
        newest = _last_look(connection, host, task)
        if newest is not None:
            select = sa.select(run_rows.c.cells).where(run_rows.c.run_id == newest.id).order_by(run_rows.c.position)
            found[task] = newest.finished_at, list(connection.scalars(select))
    return found


def rows_of(connection: sa.Connection, span: Span, tasks: Collection[str]) -> Sequence[Mapping[str, Any]]:
    """The tables that runs of these tasks left which helped, oldest first; of the newest runs where there are many."""
    chosen = (
        sa.select(runs.c.id)
        .where(*span.finished, runs.c.task.in_(list(tasks)), runs.c.outcome == "effective", runs.c.dry_run.is_(False))
        .order_by(runs.c.id.desc())
        .limit(MOST_RUNS)
    )
    select = (
        sa.select(run_rows.c.cells)
        .where(run_rows.c.run_id.in_(chosen))
        .order_by(run_rows.c.run_id, run_rows.c.position)
        .limit(MOST_ROWS)
    )
    return list(connection.scalars(select))


def documents(connection: sa.Connection, host: str, task: str, name: str) -> Iterator[Any]:
    """The JSON artefacts of that name of a task, newest first; those that cannot be read are left out."""
    select = (
        sa.select(artefacts.c.id)
        .join(runs, runs.c.id == artefacts.c.run_id)
        .where(runs.c.host == host, runs.c.task == task, artefacts.c.name == name)
        .order_by(artefacts.c.id.desc())
        .limit(20)
    )
    for id in list(connection.scalars(select)):
        try:
            yield json.loads(artefacts_of.read(connection, id)[1])
        except (ValueError, LookupError):
            continue
