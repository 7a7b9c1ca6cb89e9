"""Deletes what is older than the record is kept."""

from collections.abc import Sequence

import sqlalchemy as sa

from remediator.store.tables import HEARD_AT, alerts, breaker_resets, decisions, pauses, runs, senders, silences


def purge(connection: sa.Connection, host: str, before: float) -> Sequence[int]:
    """Deletes what a host's record holds from before then (Unix seconds); the ids of the deleted runs.

    That is: runs that finished, with their actions, rows and artefacts; episodes that ended, with the decisions about
    them; of those that go on, decisions that were not made again since; pauses that lapsed; and breakers' resets,
    which count for no run that is left. An episode of which nothing was heard since then has ended too: its end was
    lost on the way.
    """
    finished = (runs.c.host == host, runs.c.finished_at < before)
    old = list(connection.scalars(sa.delete(runs).where(*finished).returning(runs.c.id)))
    connection.execute(sa.delete(alerts).where(sa.func.coalesce(alerts.c.ends_at, HEARD_AT) < before))
    connection.execute(sa.delete(decisions).where(decisions.c.host == host, decisions.c.last_at < before))
    connection.execute(sa.delete(pauses).where(pauses.c.host == host, pauses.c.until < before))
    connection.execute(sa.delete(silences).where(silences.c.host == host, silences.c.ended_at < before))
    connection.execute(sa.delete(senders).where(senders.c.host == host, senders.c.heard_at < before))
    connection.execute(sa.delete(breaker_resets).where(breaker_resets.c.host == host, breaker_resets.c.at < before))
    return old
