"""The slots that disruptive runs take before they act, of which a host has as many as may act at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from remediator.store.tables import runs


@dataclass(frozen=True)
class Rival:
    """An unfinished run that is or will be in the way of a disruptive one. acting: it has a slot."""

    run_id: int
    task: str
    target: str
    acting: bool


def rivals(connection: sa.Connection, host: str) -> Sequence[Rival]:
    """The host's unfinished runs that are to change something, oldest first; not those that wait for a person."""
    select = (
        sa.select(runs.c.id, runs.c.task, runs.c.target, runs.c.slot)
        .where(runs.c.host == host, runs.c.state.not_in(("finished", "waiting")), runs.c.dry_run.is_(False))
        .order_by(runs.c.id)
    )
    return [Rival(row.id, row.task, row.target, row.slot is not None) for row in connection.execute(select)]


def at_work(connection: sa.Connection, host: str) -> Sequence[Rival]:
    """The host's runs that act at this moment, and composites under way, oldest first, whatever they interrupt."""
    select = (
        sa.select(runs.c.id, runs.c.task, runs.c.target, runs.c.slot)
        .where(runs.c.host == host, runs.c.state.in_(("applying", "running")))
        .order_by(runs.c.id)
    )
    return [Rival(row.id, row.task, row.target, row.slot is not None) for row in connection.execute(select)]


def take(connection: sa.Connection, run_id: int, host: str, allowed: int) -> bool:
    """Takes one of the host's slots for a run, unless so many others have one. Doing so again changes nothing.

    The database decides, so it holds whatever has been read before. The slot is given back when the run is finished.
    """
    holders = sa.select(runs.c.slot, runs.c.id).where(runs.c.host == host, runs.c.slot.is_not(None))
    taken = {row.slot: row.id for row in connection.execute(holders)}
    if run_id in taken.values():
        return True
    if len(taken) >= allowed:
        return False
    return any(_took(connection, run_id, slot) for slot in range(allowed) if slot not in taken)


def _took(connection: sa.Connection, run_id: int, slot: int) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(runs.update().where(runs.c.id == run_id).values(slot=slot))
    except sa.exc.IntegrityError:
        return False
    return True
