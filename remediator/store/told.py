"""What people were told of what became of alerts, and what there is to tell."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from remediator.model.story import Decided, Done, Ran, Story
from remediator.statedir import DRILL_TARGET
from remediator.store import evidence
from remediator.store.tables import actions, alerts, approvals, decisions, runs, silences, told
from remediator.store.upsert import insert

MOST = 2000
"""Episodes that one look reads."""
MOST_ACTIONS = 5


def stories(connection: sa.Connection, host: str, since: float) -> Sequence[Story]:
    """The episodes that a host has run or held back something for, and that fire or were heard of since then (Unix
    seconds); of very many the newest.
    """
    concerns = sa.or_(
        sa.exists().where(decisions.c.alert_id == alerts.c.id, decisions.c.host == host),
        sa.exists().where(runs.c.alert_id == alerts.c.id, runs.c.host == host),
    )
    select = (
        sa.select(alerts)
        .where(sa.or_(sa.text("alerts.status = 'firing'"), alerts.c.last_received_at > since), concerns)
        .order_by(alerts.c.id.desc())
        .limit(MOST)
    )
    rows = [dict(row._mapping) for row in connection.execute(select)]
    ids = [row["id"] for row in rows]
    ran, decided, said = _runs(connection, host, ids), _decisions(connection, host, ids), _said(connection, host, ids)
    return [
        Story(
            alert_id=row["id"],
            fingerprint=row["fingerprint"],
            labels=row["labels"],
            annotations=row["annotations"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"] if row["status"] == "resolved" else None,
            first_received_at=row["first_received_at"],
            muted=row["muted"],
            due_at=row["due_at"],
            run=ran.get(row["id"]),
            decision=decided.get(row["id"]),
            said=said.get(row["id"], {}),
        )
        for row in rows
        if row["status"] == "firing" or row["ends_at"] is not None
    ]


def _runs(connection: sa.Connection, host: str, ids: Collection[int]) -> Mapping[int, Ran]:
    """The newest run of each episode that was to do something."""
    real = (runs.c.alert_id.in_(ids), runs.c.host == host, runs.c.trigger == "alert", runs.c.dry_run.is_(False))
    newest = sa.select(sa.func.max(runs.c.id)).where(*real, runs.c.target != DRILL_TARGET).group_by(runs.c.alert_id)
    asked = sa.and_(approvals.c.run_id == runs.c.id, approvals.c.state == "asked")
    select = (
        sa.select(
            runs, approvals.c.id.label("approval"), approvals.c.asked_at, approvals.c.expires_at,
            silences.c.id.label("lease"), silences.c.ended_at.label("lease_ended"),
        )
        .outerjoin(approvals, asked)
        .outerjoin(silences, sa.and_(silences.c.run_id == runs.c.id, silences.c.purpose == "page"))
        .where(runs.c.id.in_(newest))
        .order_by(silences.c.id)
    )  # fmt: skip
    return {row.alert_id: _ran(row) for row in connection.execute(select)}


def _ran(row: Any) -> Ran:
    held = None if row.lease is None else float("inf") if row.lease_ended is None else row.lease_ended
    return Ran(
        id=row.id,
        task=row.task,
        target=row.target,
        remedy=row.caller,
        state=row.state,
        outcome=row.outcome,
        reason=row.reason,
        requested_at=row.requested_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        waits_since=row.asked_at,
        approval=row.approval,
        until=row.expires_at,
        held_until=held,
    )


def _decisions(connection: sa.Connection, host: str, ids: Collection[int]) -> Mapping[int, Decided]:
    of_these = (decisions.c.alert_id.in_(ids), decisions.c.host == host)
    newest = sa.select(sa.func.max(decisions.c.id)).where(*of_these).group_by(decisions.c.alert_id)
    return {
        row.alert_id: Decided(row.verdict, row.guard, row.remedy, row.task, row.target, row.reason, row.at)
        for row in connection.execute(sa.select(decisions).where(decisions.c.id.in_(newest)))
    }


def _said(connection: sa.Connection, host: str, ids: Collection[int]) -> Mapping[int, Mapping[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for row in connection.execute(sa.select(told).where(told.c.alert_id.in_(ids), told.c.host == host)):
        found.setdefault(row.alert_id, {})[row.way] = row.said
    return found


def done(connection: sa.Connection, run_id: int) -> Done:
    """What a run did, and its evidence."""
    of_run = actions.c.run_id == run_id
    count, freed = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(actions.c.freed_bytes), 0)).where(of_run)
    ).one()
    columns = (actions.c.action["kind"].as_string(), actions.c.action["object"].as_string(), actions.c.state,
               actions.c.detail)  # fmt: skip
    first = sa.select(*columns).where(of_run).order_by(actions.c.position).limit(MOST_ACTIONS)
    shown = [
        (f"{kind} {object}", f"{state}: {detail}" if detail else state)
        for kind, object, state, detail in connection.execute(first)
    ]
    try:
        kept = evidence.of_run(connection, run_id) or []
    except ValueError:
        kept = []
    return Done(shown, count, int(freed), kept)


def sent(connection: sa.Connection, host: str, way: str, since: float) -> Sequence[float]:
    """When messages went this way since then (Unix seconds)."""
    select = sa.select(told.c.at).distinct().where(told.c.host == host, told.c.way == way, told.c.at > since)
    return list(connection.scalars(select))


def tell(connection: sa.Connection, host: str, way: str, told_of: Iterable[tuple[int, str]], now: float) -> None:
    """A message has told of these episodes, and what of each. Those that are gone by now are passed over."""
    rows = dict(told_of)
    there = set(connection.scalars(sa.select(alerts.c.id).where(alerts.c.id.in_(rows))))
    statement = insert(told, connection.dialect.name)
    statement = statement.on_conflict_do_update(
        index_elements=["host", "way", "alert_id"],
        set_={"said": statement.excluded.said, "at": statement.excluded.at},
    )
    values = [
        {"host": host, "way": way, "alert_id": id, "said": said[:255], "at": now}
        for id, said in rows.items()
        if id in there
    ]
    if values:
        connection.execute(statement, values)
