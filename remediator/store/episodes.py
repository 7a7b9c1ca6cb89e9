"""Episodes compared with Alertmanager: reading them for that, and storing what differs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.episode import Episode
from remediator.store import audit
from remediator.store.tables import HEARD_AT, alerts, decisions, runs, senders
from remediator.store.upsert import insert

_AT_ONCE = 500
"""Fingerprints in one query."""
LONGEST_RECEIVER = 255
HEARD_EVERY = 60.0
"""Seconds in which the time of a sender's last webhook is not written again."""

_COLUMNS = (
    alerts.c.id,
    alerts.c.fingerprint,
    alerts.c.starts_at,
    sa.case((alerts.c.status == "firing", None), else_=sa.func.coalesce(alerts.c.ends_at, alerts.c.last_received_at)),
    alerts.c.first_received_at,
    HEARD_AT,
    alerts.c.muted,
)


def to_compare(connection: sa.Connection, fingerprints: Collection[str]) -> Sequence[Episode]:
    """All that fire, and every episode of these alerts that has not gone on as another."""
    found = {row[0]: Episode(*row) for row in connection.execute(_select(alerts.c.status == "firing"))}
    wanted = sorted(fingerprints)
    for start in range(0, len(wanted), _AT_ONCE):
        of = alerts.c.fingerprint.in_(wanted[start : start + _AT_ONCE])
        found |= {row[0]: Episode(*row) for row in connection.execute(_select(of))}
    return list(found.values())


def _select(where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(*_COLUMNS).where(where)


def before(connection: sa.Connection, id: int) -> Episode | None:
    """The episode of the same alert before this one."""
    this = alerts.alias()
    earlier = sa.and_(alerts.c.fingerprint == this.c.fingerprint, alerts.c.starts_at < this.c.starts_at)
    select = sa.select(*_COLUMNS).join(this, earlier).where(this.c.id == id)
    row = connection.execute(select.order_by(alerts.c.starts_at.desc()).limit(1)).first()
    return None if row is None else Episode(*row)


def starts(connection: sa.Connection, ids: Collection[int]) -> Mapping[int, float]:
    """When these episodes that fire began."""
    firing = (alerts.c.id.in_(ids), alerts.c.status == "firing")
    return dict(connection.execute(sa.select(alerts.c.id, alerts.c.starts_at).where(*firing)).all())


def id_of(connection: sa.Connection, fingerprint: str, starts_at: float) -> int | None:
    """The episode of this alert with this start."""
    same = (alerts.c.fingerprint == fingerprint, alerts.c.starts_at == starts_at)
    return connection.scalar(sa.select(alerts.c.id).where(*same))


def end(connection: sa.Connection, ids: Collection[int], now: float, asked_at: float) -> list[int]:
    """Ends those that still fire and were not heard of since Alertmanager was asked; their ids."""
    ended = (
        alerts.update()
        .where(alerts.c.id.in_(ids), alerts.c.status == "firing", alerts.c.last_received_at <= asked_at)
        .values(status="resolved", ends_at=now, due_at=None, muted=None)
        .returning(alerts.c.id)
    )
    return list(connection.scalars(ended)) if ids else []


def reopen(connection: sa.Connection, ids: Collection[int], now: float) -> None:
    """They fire after all, and are to be looked at."""
    if ids:
        firing = {"status": "firing", "ends_at": None, "seen_at": now, "due_at": now}
        connection.execute(alerts.update().where(alerts.c.id.in_(ids)).values(firing))


def see(connection: sa.Connection, ids: Collection[int], now: float) -> None:
    """Alertmanager has them firing."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = alerts.c.id.in_(wanted[start : start + _AT_ONCE])
        connection.execute(alerts.update().where(some, alerts.c.status == "firing").values(seen_at=now))


def mute(connection: sa.Connection, why: Mapping[int, str | None], now: float) -> None:
    """How people are kept from hearing of them. One that they hear of again is to be looked at."""
    for id, reason in why.items():
        due = {} if reason is not None else {"due_at": now}
        connection.execute(alerts.update().where(alerts.c.id == id).values(muted=reason, **due))


def is_of(connection: sa.Connection, id: int, host: str) -> bool:
    """Whether an episode is this host's, or nobody's."""
    mine = sa.or_(alerts.c.host == host, alerts.c.host.is_(None))
    return connection.scalar(sa.select(alerts.c.id).where(alerts.c.id == id, mine)) is not None


def carry_over(connection: sa.Connection, host: str, before: int, after: int, now: float) -> None:
    """The outage of one episode goes on as another: what was decided and done about it belongs to that one now."""
    audit.append(connection, host, Entry("alert.joined", now, body={"before": before}, alert_id=after))
    goes_on = sa.select(alerts.c.starts_at).where(alerts.c.id == after).scalar_subquery()
    connection.execute(
        alerts.update()
        .where(alerts.c.id == before)
        .values(
            status="resolved",
            ends_at=sa.func.coalesce(alerts.c.ends_at, goes_on),
            due_at=None,
            muted=None,
            continued_by=after,
            decided_receptions=alerts.c.receptions,
        )
    )
    connection.execute(runs.update().where(runs.c.alert_id == before).values(alert_id=after))
    connection.execute(decisions.update().where(decisions.c.alert_id == before).values(alert_id=after))


def receivers(connection: sa.Connection, host: str) -> frozenset[str]:
    """The names of the receivers by which webhooks came."""
    return frozenset(connection.scalars(sa.select(senders.c.receiver).where(senders.c.host == host)))


def heard(connection: sa.Connection, host: str, names: Iterable[str], now: float) -> None:
    """Webhooks came by these receivers."""
    rows = [{"host": host, "receiver": name, "heard_at": now} for name in names if len(name) <= LONGEST_RECEIVER]
    if rows:
        statement = insert(senders, connection.dialect.name)
        newer = {"heard_at": statement.excluded.heard_at}
        connection.execute(statement.on_conflict_do_update(index_elements=["host", "receiver"], set_=newer), rows)
