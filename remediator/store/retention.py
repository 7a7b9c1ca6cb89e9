"""Deletes what is older than the record is kept."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from remediator.store.tables import (
    HEARD_AT,
    alerts,
    asks,
    breaker_resets,
    decisions,
    due_times,
    hosts,
    jobs,
    levels,
    pauses,
    rollouts,
    runs,
    senders,
    silences,
    tokens,
    told,
)


def purge(connection: sa.Connection, host: str, before: float) -> Mapping[int, int]:
    """Deletes what a host's record holds from before then (Unix seconds); the ids of the deleted runs, each with the
    number of its last attempt.

    That is: runs that finished, with their actions, rows, approvals and artefacts; episodes that ended, with the
    decisions about them; of those that go on, decisions that were not made again since; pauses that lapsed; and
    breakers' resets, which count for no run that is left. An episode of which nothing was heard since then has ended
    too: its end was lost on the way. Of the schedule: due times, and jobs that were taken out of it before then. Levels
    of remedies that were given back, which count for no run that is left either. And tokens
    that were revoked or expired, rollouts that are over, and other hosts that were last seen before then.
    """
    finished = (runs.c.host == host, runs.c.finished_at < before)
    old = _deleted(connection, *finished)
    mine = sa.or_(alerts.c.host == host, alerts.c.host.is_(None))
    connection.execute(sa.delete(alerts).where(sa.func.coalesce(alerts.c.ends_at, HEARD_AT) < before, mine))
    connection.execute(sa.delete(decisions).where(decisions.c.host == host, decisions.c.last_at < before))
    connection.execute(sa.delete(pauses).where(pauses.c.host == host, pauses.c.until < before))
    connection.execute(sa.delete(silences).where(silences.c.host == host, silences.c.ended_at < before))
    connection.execute(sa.delete(senders).where(senders.c.host == host, senders.c.heard_at < before))
    connection.execute(sa.delete(breaker_resets).where(breaker_resets.c.host == host, breaker_resets.c.at < before))
    over = due_times.c.state.not_in(("waiting", "running"))
    connection.execute(sa.delete(due_times).where(due_times.c.host == host, due_times.c.decided_at < before, over))
    ended = sa.func.coalesce(tokens.c.revoked_at, tokens.c.expires_at)
    connection.execute(sa.delete(tokens).where(tokens.c.host == host, ended < before))
    connection.execute(sa.delete(jobs).where(jobs.c.host == host, jobs.c.removed_at < before))
    connection.execute(sa.delete(rollouts).where(rollouts.c.host == host, rollouts.c.finished_at < before))
    connection.execute(sa.delete(hosts).where(hosts.c.host != host, hosts.c.seen_at < before))
    asked = sa.or_(asks.c.host == host, asks.c.sender == host)
    connection.execute(sa.delete(asks).where(asked, asks.c.asked_at < before))
    connection.execute(sa.delete(told).where(told.c.host == host, told.c.at < before))
    given_back = (levels.c.host == host, levels.c.level.is_(None), levels.c.at < before)
    connection.execute(sa.delete(levels).where(*given_back))
    return old


def purge_uneventful(connection: sa.Connection, host: str, tasks: Collection[str], before: float) -> int:
    """Deletes runs of the schedule, ended before then, that found nothing; how many. What became of their due times is
    kept: a health check every five minutes would otherwise be most of the record.

    tasks: those that only look.
    """
    uneventful = (
        runs.c.host == host,
        runs.c.trigger == "schedule",
        runs.c.outcome == "nothing-to-do",
        runs.c.finished_at < before,
        runs.c.task.in_(tasks),
    )
    return len(_deleted(connection, *uneventful))


def _deleted(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> Mapping[int, int]:
    """Deletes runs; their ids, each with the number of its last attempt."""
    rows = connection.execute(sa.delete(runs).where(*which).returning(runs.c.id, runs.c.attempt))
    return {row.id: row.attempt for row in rows}
