"""The jobs of the schedule, and what became of their due times."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import sqlalchemy as sa

from exporter.base.text import format_time
from remediator.audit.record import Entry
from remediator.model.caller import Caller
from remediator.model.job import DueTarget, DueTime, JobRecord
from remediator.model.outcomes import WELL
from remediator.model.words import DueState, Outcome
from remediator.store import audit
from remediator.store.tables import due_times, jobs, runs
from remediator.store.upsert import insert

_OF_A_RECORD = [column for column in jobs.c if column is not jobs.c.host]
FOR_EVER = 1e12
OPEN: Sequence[DueState] = ("waiting", "running")


def records(connection: sa.Connection, host: str) -> Mapping[str, JobRecord]:
    """The host's jobs by name, removed ones too."""
    rows = connection.execute(sa.select(*_OF_A_RECORD).where(jobs.c.host == host)).mappings()
    return {row["name"]: JobRecord(**row) for row in rows}


def keep(connection: sa.Connection, host: str, record: JobRecord) -> None:
    """Stores a job's position, a new job's too."""
    values = {"host": host, **asdict(record)}
    statement = insert(jobs, connection.dialect.name).values(values)
    update = {name: value for name, value in values.items() if name not in ("host", "name")}
    connection.execute(statement.on_conflict_do_update(index_elements=["host", "name"], set_=update))


def note(
    connection: sa.Connection,
    host: str,
    job: str,
    due_at: float,
    state: DueState,
    now: float,
    *,
    reason: str = "",
    first_due_at: float | None = None,
    count: int = 1,
    give_up_at: float | None = None,
) -> int | None:
    """Stores a due time; its number. None when it is in the record already: the database decides."""
    statement = insert(due_times, connection.dialect.name).values(
        host=host,
        job=job,
        due_at=due_at,
        first_due_at=due_at if first_due_at is None else first_due_at,
        count=count,
        state=state,
        reason=reason,
        decided_at=now,
        targets=[],
        give_up_at=give_up_at,
    )
    number: int | None = connection.scalar(
        statement.on_conflict_do_nothing(index_elements=["host", "job", "due_at"]).returning(due_times.c.id)
    )
    if number is not None:
        body = {"due": format_time(due_at), "what": "run" if state == "waiting" else state, "reason": reason}
        more = {"first": format_time(first_due_at), "count": count} if first_due_at is not None and count > 1 else {}
        audit.append(connection, host, Entry("job.due", now, Caller("schedule", job), {**body, **more}))
    return number


def settle(
    connection: sa.Connection,
    number: int,
    state: DueState,
    targets: Sequence[DueTarget],
    *,
    reason: str | None = None,
    retry_at: float | None = None,
    outcome: Outcome | None = None,
    finished_at: float | None = None,
) -> None:
    """What has become of a due time that was open. reason: None leaves it as it is."""
    values: dict[str, Any] = {
        "state": state,
        "targets": [asdict(each) for each in targets],
        "retry_at": retry_at,
        "outcome": outcome,
        "finished_at": finished_at,
    }
    if reason is not None:
        values["reason"] = reason
    connection.execute(due_times.update().where(due_times.c.id == number).values(values))


def give_up(connection: sa.Connection, host: str, due: DueTime, reason: str, now: float) -> None:
    """Nothing is run for a due time that waited."""
    settle(connection, due.id, "blocked", due.targets, reason=reason)
    body = {"due": format_time(due.due_at), "reason": reason}
    audit.append(connection, host, Entry("job.given-up", now, Caller("schedule", due.job), body))


def get(connection: sa.Connection, number: int) -> DueTime | None:
    """A due time; None if there is none of that number."""
    row = connection.execute(sa.select(due_times).where(due_times.c.id == number)).first()
    return None if row is None else _due(row)


def open_ones(connection: sa.Connection, host: str) -> list[DueTime]:
    """Those of the host that wait for a guard or whose runs are under way, oldest first."""
    select = sa.select(due_times).where(due_times.c.host == host, due_times.c.state.in_(OPEN))
    return [_due(row) for row in connection.execute(select.order_by(due_times.c.due_at, due_times.c.id))]


def taken(connection: sa.Connection, host: str, after: float) -> Mapping[str, Collection[float]]:
    """The due times later than this that are in the record, by job; not those that were only missed."""
    select = sa.select(due_times.c.job, due_times.c.due_at).where(
        due_times.c.host == host, due_times.c.due_at > after, due_times.c.state != "missed"
    )
    found: dict[str, set[float]] = {}
    for job, due_at in connection.execute(select):
        found.setdefault(job, set()).add(due_at)
    return found


def missed_after(connection: sa.Connection, host: str, now: float) -> Sequence[tuple[str, float, float]]:
    """Those that are in the record as missed and are still to come: the job, the first and the last of each."""
    select = sa.select(due_times.c.job, due_times.c.first_due_at, due_times.c.due_at).where(
        due_times.c.host == host, due_times.c.state == "missed", due_times.c.due_at > now
    )
    return [(job, first, last) for job, first, last in connection.execute(select)]


def shorten(connection: sa.Connection, host: str, job: str, due_at: float, left: tuple[float, int] | None) -> None:
    """Of due times that were missed in a row, up to due_at, these are left: the last, and how many; None for none."""
    it = (due_times.c.host == host, due_times.c.job == job, due_times.c.due_at == due_at)
    if left is None:
        connection.execute(due_times.delete().where(*it))
    else:
        connection.execute(due_times.update().where(*it).values(due_at=left[0], count=left[1]))


def outcomes(connection: sa.Connection, run_ids: Collection[int]) -> Mapping[int, Outcome | None]:
    """The outcome of each of these runs; None while it is under way. Those that are gone are left out."""
    select = sa.select(runs.c.id, runs.c.outcome).where(runs.c.id.in_(run_ids))
    return {row.id: row.outcome for row in connection.execute(select)}


def well_in_part(connection: sa.Connection, run_ids: Collection[int]) -> frozenset[int]:
    """Those of these runs of which some part went well."""
    select = sa.select(runs.c.parent_id).where(runs.c.parent_id.in_(run_ids), runs.c.outcome.in_(WELL)).distinct()
    return frozenset(connection.scalars(select))


def history(connection: sa.Connection, host: str, job: str, since: float, until: float, limit: int) -> list[DueTime]:
    """What became of a job's due times in a span, newest first; also of spans of missed ones that reach into it."""
    values = {"of_host": host, "of_job": job, "since": since, "until": until, "most": limit}
    return [_due(row) for row in connection.execute(_history(), values)]


@cache
def _history() -> sa.Select[Any]:
    """Made once: a look at the schedule asks it of each job, and making it takes as long as asking it."""
    time = due_times.c.due_at.type
    return (
        sa.select(due_times)
        .where(
            due_times.c.host == sa.bindparam("of_host", type_=due_times.c.host.type),
            due_times.c.job == sa.bindparam("of_job", type_=due_times.c.job.type),
            due_times.c.due_at >= sa.bindparam("since", type_=time),
            due_times.c.first_due_at <= sa.bindparam("until", type_=time),
        )
        .order_by(due_times.c.due_at.desc())
        .limit(sa.bindparam("most", type_=sa.Integer()))
    )


def newest(connection: sa.Connection, host: str, limit: int) -> Mapping[str, list[DueTime]]:
    """What became of the newest due times of each of the host's jobs, so many of each, newest first."""
    names = connection.scalars(sa.select(jobs.c.name).where(jobs.c.host == host)).all()
    return {name: history(connection, host, name, 0.0, FOR_EVER, limit) for name in names}


def _due(row: Any) -> DueTime:
    columns = dict(row._mapping)
    del columns["host"]
    columns["targets"] = [DueTarget(**each) for each in columns["targets"]]
    return DueTime(**columns)
