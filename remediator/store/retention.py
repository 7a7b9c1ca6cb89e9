"""Deletes what is older than the record is kept."""

from collections.abc import Sequence

import sqlalchemy as sa

from remediator.store.tables import alerts, runs


def purge(connection: sa.Connection, before: float) -> Sequence[int]:
    """Deletes runs that finished and episodes that ended before then (Unix seconds); the ids of the deleted runs.

    An episode of which nothing was heard since then has ended too: its end was lost on the way.
    """
    old = list(connection.scalars(sa.delete(runs).where(runs.c.finished_at < before).returning(runs.c.id)))
    connection.execute(sa.delete(alerts).where(sa.func.coalesce(alerts.c.ends_at, alerts.c.last_received_at) < before))
    return old
