"""Episodes of alerts: what Alertmanager sent, and which of them wait for a decision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from remediator.store.tables import alerts
from remediator.webhook.payload import ReceivedAlert


@dataclass(frozen=True)
class Undecided:
    """A firing episode that waits for a decision. ``receptions`` tells whether it came again meanwhile."""

    id: int
    labels: Mapping[str, str]
    receptions: int


def _upsert() -> sa.Insert:
    statement = sqlite.insert(alerts)
    new = statement.excluded
    ended = alerts.c.status == "resolved"
    return statement.on_conflict_do_update(
        index_elements=["fingerprint", "starts_at"],
        set_={
            "status": sa.case((ended, "resolved"), else_=new.status),
            "ends_at": sa.case((ended, alerts.c.ends_at), else_=new.ends_at),
            "labels": new.labels,
            "annotations": new.annotations,
            "generator_url": new.generator_url,
            "last_received_at": new.last_received_at,
            "receptions": alerts.c.receptions + 1,
        },
    )


_UPSERT = _upsert()
"""Made once, since making it takes as long as storing twenty alerts."""


def accept(connection: sa.Connection, received: Iterable[tuple[ReceivedAlert, float]]) -> None:
    """Stores alerts with the time each was received. A repeat of an episode updates it and is decided again.

    An alert that resolved ends its episode for good: a late, out-of-order "firing" does not open it again.
    """
    rows = [
        {
            "fingerprint": alert.fingerprint,
            "starts_at": alert.starts_at,
            "ends_at": alert.ends_at if alert.status == "resolved" else None,
            "status": alert.status,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "generator_url": alert.generator_url,
            "first_received_at": at,
            "last_received_at": at,
            "receptions": 1,
            "decided_receptions": 0,
        }
        for alert, at in received
    ]
    if not rows:
        return
    connection.execute(_UPSERT, rows)


def undecided(connection: sa.Connection, limit: int) -> Sequence[Undecided]:
    """Firing episodes that wait for a decision, oldest first; settles those that ended meanwhile."""
    waiting = alerts.c.decided_receptions < alerts.c.receptions
    connection.execute(
        alerts.update().where(waiting, alerts.c.status == "resolved").values(decided_receptions=alerts.c.receptions)
    )
    rows = connection.execute(
        sa.select(alerts.c.id, alerts.c.labels, alerts.c.receptions).where(waiting).order_by(alerts.c.id).limit(limit)
    )
    return [Undecided(*row) for row in rows]


def settle(connection: sa.Connection, decided: Iterable[Undecided]) -> None:
    """The alerts have been decided as far as they had been received."""
    rows = [{"alert": alert.id, "decided": alert.receptions} for alert in decided]
    if rows:
        settled = alerts.update().where(alerts.c.id == sa.bindparam("alert"))
        connection.execute(settled.values(decided_receptions=sa.bindparam("decided")), rows)
