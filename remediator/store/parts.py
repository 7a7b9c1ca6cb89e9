"""Composite runs: their parts, which are actions of theirs, and their children."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from remediator.model.parts import Child, PartState
from remediator.model.task import Plan
from remediator.store import runs as store
from remediator.store.tables import actions, runs


def unfinished(connection: sa.Connection, host: str, tasks: Collection[str]) -> Sequence[int]:
    """The host's runs of these tasks that are not finished, oldest first."""
    mine = (runs.c.host == host, runs.c.task.in_(tasks), runs.c.state != "finished")
    return list(connection.scalars(sa.select(runs.c.id).where(*mine).order_by(runs.c.id)))


def begin(connection: sa.Connection, run_id: int, plan: Plan, now: float) -> None:
    """Stores the parts of a run that is queued, whose children go on with it from then on."""
    queued = connection.scalar(sa.select(runs.c.id).where(runs.c.id == run_id, runs.c.state == "queued"))
    if queued is None:
        return  # it was begun before
    store.planned(connection, run_id, plan, now)
    begun = runs.update().where(runs.c.id == run_id, runs.c.state == "queued")
    connection.execute(begun.values(state="running", started_at=now))


def take(connection: sa.Connection, run_id: int, position: int) -> bool:
    """Begins a part; False if that was done already, or the run is over or cancelled."""
    locked = sa.select(runs.c.id).where(runs.c.id == run_id, runs.c.cancelled.is_(None)).with_for_update()
    if connection.scalar(locked) is None:
        return False
    goes_on = sa.exists().where(runs.c.id == run_id, runs.c.state == "running")
    result = connection.execute(
        actions.update()
        .where(actions.c.run_id == run_id, actions.c.position == position, actions.c.state == "planned", goes_on)
        .values(state="running")
    )
    return result.rowcount == 1


def states(connection: sa.Connection, run_id: int) -> Sequence[PartState]:
    """The parts of a run in their order."""
    columns = (actions.c.position, actions.c.action["object"].as_string(), actions.c.state, actions.c.detail)
    select = sa.select(*columns).where(actions.c.run_id == run_id).order_by(actions.c.position)
    return [PartState(*row) for row in connection.execute(select)]


def children(connection: sa.Connection, run_id: int) -> Sequence[Child]:
    """The runs that are parts of a run, oldest first."""
    freed = (
        sa.select(sa.func.coalesce(sa.func.sum(actions.c.freed_bytes), 0))
        .where(actions.c.run_id == runs.c.id)
        .scalar_subquery()
    )
    columns = (runs.c.id, runs.c.task, runs.c.target, runs.c.state, runs.c.outcome, freed)
    select = sa.select(*columns).where(runs.c.parent_id == run_id).order_by(runs.c.id)
    return [Child(*row[:5], freed_bytes=int(row[5])) for row in connection.execute(select)]


def below(connection: sa.Connection, run_id: int) -> Sequence[int]:
    """The unfinished runs that are parts of a run, or parts of those."""
    found: list[int] = []
    level: Collection[int] = [run_id]
    while level:
        unfinished = (runs.c.parent_id.in_(level), runs.c.state != "finished")
        level = list(connection.scalars(sa.select(runs.c.id).where(*unfinished).order_by(runs.c.id)))
        found += level
    return found


def add_note(connection: sa.Connection, run_id: int, note: str) -> None:
    """Adds a sentence to what the record says of a run."""
    notes = connection.scalar(sa.select(runs.c.notes).where(runs.c.id == run_id)) or []
    connection.execute(runs.update().where(runs.c.id == run_id).values(notes=[*notes, note]))
