"""What a task's runs have removed."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from remediator.store.tables import actions, runs


@dataclass(frozen=True)
class Spent:
    """What one run has removed. at: when (Unix seconds); None while it is under way, when all of its plan counts."""

    at: float | None
    bytes: int
    items: int


def of_task(connection: sa.Connection, host: str, task: str, since: float, but: int | None) -> Sequence[Spent]:
    """What the task's runs on the host, on any target, have removed since then (Unix seconds), newest first.

    but: a run that is left out. An action counts as what was planned for it, or what it freed if that was more; it
    does not count where it was skipped or failed.
    """
    under_way = runs.c.state.in_(("applying", "verifying"))
    counts = sa.or_(
        actions.c.state.in_(("done", "partial", "running")), sa.and_(under_way, actions.c.state == "planned")
    )
    estimated = _whole("estimated_bytes")
    freed = sa.case((estimated > actions.c.freed_bytes, estimated), else_=actions.c.freed_bytes)
    select = (
        sa.select(
            sa.case((under_way, None), else_=runs.c.finished_at).label("at"),
            sa.func.sum(freed).label("bytes"),
            sa.func.sum(_whole("items")).label("items"),
        )
        .join(actions, actions.c.run_id == runs.c.id)
        .where(
            runs.c.host == host,
            runs.c.task == task,
            sa.or_(runs.c.finished_at > since, under_way),
            runs.c.id != (but or 0),
            counts,
        )
        .group_by(runs.c.id, runs.c.state, runs.c.finished_at)
        .order_by(runs.c.finished_at.desc().nulls_first(), runs.c.id.desc())
    )
    return [Spent(row.at, int(row.bytes), int(row.items)) for row in connection.execute(select)]


def planned(connection: sa.Connection, host: str, task: str) -> Sequence[tuple[str, float, int, int]]:
    """The plans of a task's runs on the host, of runs that only planned too, oldest first: the target, when it was
    planned (Unix seconds), bytes and items.
    """
    select = (
        sa.select(
            runs.c.target,
            runs.c.planned_at,
            sa.func.sum(_whole("estimated_bytes")),
            sa.func.sum(_whole("items")),
        )
        .join(actions, actions.c.run_id == runs.c.id)
        .where(runs.c.host == host, runs.c.task == task, runs.c.planned_at.is_not(None))
        .group_by(runs.c.id, runs.c.target, runs.c.planned_at)
        .order_by(runs.c.planned_at, runs.c.id)
    )
    return [(row[0], float(row[1]), int(row[2]), int(row[3])) for row in connection.execute(select)]


def _whole(key: str) -> sa.ColumnElement[int]:
    """A number of an action, of 64 bits; those of earlier releases have no ``items``."""
    default = 1 if key == "items" else 0
    return sa.func.coalesce(sa.cast(actions.c.action[key].as_string(), sa.BigInteger), default)
