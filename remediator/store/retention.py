"""Deletes what is older than the record is kept."""

from collections.abc import Sequence

import sqlalchemy as sa

from remediator.store.tables import alerts, runs


def purge(connection: sa.Connection, before: float) -> Sequence[int]:
    """Deletes runs that finished and episodes that ended before then (Unix seconds); the ids of the deleted runs."""
    old = list(connection.scalars(sa.delete(runs).where(runs.c.finished_at < before).returning(runs.c.id)))
    connection.execute(sa.delete(alerts).where(alerts.c.ends_at < before))
    return old
