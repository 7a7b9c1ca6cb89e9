"""Rollouts: what is stored of each, and which host drives it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.model.rollout import OPEN, Rollout
from remediator.store.fleet import now_of
from remediator.store.lenient import member_of
from remediator.store.tables import alerts, rollouts, runs

LEASE = 60.0
"""Seconds after its driver's last sign in which no other host takes a rollout over."""

_SAME = [field.name for field in fields(Rollout) if field.name not in ("id", "caller", "members", "driver")]


def create(connection: sa.Connection, rollout: Rollout, now: float) -> int:
    """Stores a rollout that begins, driven by its driver; its id."""
    values = {**_values(rollout), "driver": rollout.driver, "driven_until": now_of(connection, now) + LEASE}
    key = connection.execute(rollouts.insert().values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def get(connection: sa.Connection, rollout_id: int) -> Rollout:
    """Raises LookupError where none has that id."""
    row = connection.execute(sa.select(rollouts).where(rollouts.c.id == rollout_id)).first()
    if row is None:
        raise LookupError(f"there is no rollout {rollout_id}")
    return _rollout(row)


def take(connection: sa.Connection, rollout_id: int, host: str, now: float) -> Rollout | None:
    """The rollout, which the host drives from now on, and nobody else can change until the transaction is over; None
    where another host drives it, or it is over.
    """
    at = now_of(connection, now)
    free = sa.or_(rollouts.c.driver == host, rollouts.c.driven_until < at)
    taken = (
        rollouts.update()
        .where(rollouts.c.id == rollout_id, rollouts.c.finished_at.is_(None), free)
        .values(driver=host, driven_until=at + LEASE)
    )
    return get(connection, rollout_id) if connection.execute(taken).rowcount else None


def hold(connection: sa.Connection, rollout_id: int) -> Rollout:
    """The rollout, which nobody else can change until the transaction is over. Raises LookupError."""
    connection.execute(sa.select(rollouts.c.id).where(rollouts.c.id == rollout_id).with_for_update())
    return get(connection, rollout_id)


def save(connection: sa.Connection, rollout: Rollout) -> None:
    """What has become of one that was taken, or held."""
    connection.execute(rollouts.update().where(rollouts.c.id == rollout.id).values(_values(rollout)))


def hand_over(connection: sa.Connection, rollout_id: int, host: str, now: float) -> None:
    """The host drives it from now on."""
    at = now_of(connection, now)
    statement = rollouts.update().where(rollouts.c.id == rollout_id)
    connection.execute(statement.values(driver=host, driven_until=at + LEASE))


def to_drive(connection: sa.Connection, host: str, now: float) -> Sequence[int]:
    """Those that are not over and that the host drives, or that nobody drives any more."""
    free = sa.or_(rollouts.c.driver == host, rollouts.c.driven_until < now_of(connection, now))
    # One in a state that this version does not know is for hosts that do.
    known = rollouts.c.state.in_(OPEN)
    select = sa.select(rollouts.c.id).where(rollouts.c.finished_at.is_(None), known, free).order_by(rollouts.c.id)
    return list(connection.scalars(select))


def page(connection: sa.Connection, limit: int, before: int | None = None) -> tuple[Sequence[Rollout], int | None]:
    """Newest first, and the cursor of the next page."""
    select = sa.select(rollouts).order_by(rollouts.c.id.desc()).limit(limit + 1)
    if before is not None:
        select = select.where(rollouts.c.id < before)
    found = [_rollout(row) for row in connection.execute(select)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def states(connection: sa.Connection, run_ids: Collection[int]) -> Mapping[int, tuple[str, str, str]]:
    """State, outcome and reason of runs; those that are in the record no more are left out."""
    columns = (runs.c.id, runs.c.state, runs.c.outcome, runs.c.reason)
    select = sa.select(*columns).where(runs.c.id.in_(run_ids))
    return {row.id: (row.state, row.outcome or "", row.reason) for row in connection.execute(select)}


def alerts_since(
    connection: sa.Connection, hosts: Collection[str], since: float, own: str | None
) -> Sequence[tuple[str, dict[str, str], float]]:
    """The host, the labels and the begin of each episode of these hosts that began since then, also of those that have
    ended. own: the host of all of them, on one machine's own database.
    """
    select = sa.select(alerts.c.host, alerts.c.labels, alerts.c.starts_at).where(alerts.c.starts_at >= since)
    if own is None:
        select = select.where(alerts.c.host.in_(hosts), alerts.c.no_host.is_(None))
    elif own not in hosts:
        return []
    return [(own or row.host, row.labels, row.starts_at) for row in connection.execute(select.order_by(alerts.c.id))]


def counted(connection: sa.Connection, host: str) -> Mapping[str, int]:
    """How many of each state the host drives, or drove last."""
    select = sa.select(rollouts.c.state, sa.func.count()).where(rollouts.c.driver == host).group_by(rollouts.c.state)
    return {row[0]: row[1] for row in connection.execute(select)}


def _values(rollout: Rollout) -> dict[str, Any]:
    return {
        **{name: getattr(rollout, name) for name in _SAME},
        "params": dict(rollout.params),
        "trigger": rollout.caller.trigger,
        "caller": rollout.caller.name,
        "members": [asdict(one) for one in rollout.members],
    }


def _rollout(row: Any) -> Rollout:
    return Rollout(
        **{name: getattr(row, name) for name in _SAME},
        id=row.id,
        caller=Caller(row.trigger, row.caller),
        members=[member_of(one) for one in row.members],
        driver=row.driver,
    )
