"""What a host needs of the shared record to go on without it, copied into a journal of its own while it is there.

Rows of the shared record have their numbers below zero in the journal, those that begin in the journal above: so a
number tells whose a row is. Only what guards, the schedule and repeats are judged by is copied. A run that is not
finished is there as one that waits, which nobody goes on with: it keeps its task and target to itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from remediator.store import audit
from remediator.store.tables import (
    actions,
    alerts,
    breaker_resets,
    decisions,
    due_times,
    hosts,
    jobs,
    levels,
    pauses,
    runs,
    senders,
    tokens,
    told,
)
from remediator.store.upsert import insert

REMEMBERED = 30 * 86400.0
"""Seconds for which finished runs are copied that guards count."""
DUE_REMEMBERED = 2 * 86400.0
"""Seconds for which due times are copied."""
OVERLAP = 300.0
"""Seconds before the newest finished run that is known, from which on finished runs are read again."""
COUNTED = ("effective", "ineffective", "failed", "planned")
"""Outcomes that guards count."""
BLOCK = 500
"""Numbers that are kept for a journal, of each table whose numbers people and the audit name."""
BLOCK_FOR = 86400.0
"""Seconds after which others are kept, so that what comes home is listed about where it belongs."""
NUMBERED = (runs, alerts)
TRIES = 5

facts = sa.table("journal_facts", sa.column("key", sa.Text), sa.column("value", sa.Text))
"""What a journal knows of itself, JSON by key; there is none in any other database."""


@dataclass(frozen=True)
class Facts:
    """host: whose journal it is. at: when it was last as the record is. head: the end of the host's chain then.

    blocks: the numbers before the first that is kept for it, by table, since blocks_at. pauses: those that were copied.
    chain: the name of its own chain. taken_at: since when it is in use; None while it only follows. exact: whether
    nothing had been stored that it does not have. bringing: what it holds may be in the record already.
    """

    host: str
    at: float
    chain: str
    head: Sequence[Any] = ()
    blocks: Mapping[str, int] | None = None
    blocks_at: float = 0.0
    pauses: Sequence[int] = ()
    finished: float = 0.0
    taken_at: float | None = None
    exact: bool = False
    bringing: bool = False


def read_facts(connection: sa.Connection) -> Facts | None:
    """None where the journal was never filled."""
    if not sa.inspect(connection).has_table(facts.name):
        return None
    value = connection.scalar(sa.select(facts.c.value).where(facts.c.key == "facts"))
    return None if value is None else Facts(**json.loads(value))


def write_facts(connection: sa.Connection, known: Facts) -> None:
    create = "CREATE TABLE IF NOT EXISTS journal_facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
    connection.execute(sa.text(create))
    connection.execute(facts.delete())
    connection.execute(facts.insert().values(key="facts", value=json.dumps(known.__dict__)))


def keep_numbers(connection: sa.Connection) -> Mapping[str, int]:
    """Takes numbers in a row out of the shared record's sequences; the one before the first, by table.

    Raises LookupError where others have taken some in between too often.
    """
    return {table.name: _in_a_row(connection, table.name) - 1 for table in NUMBERED}


def _in_a_row(connection: sa.Connection, table: str) -> int:
    taken = sa.text(
        "SELECT min(n), max(n) FROM"
        " (SELECT nextval(pg_get_serial_sequence(:name, 'id')) AS n FROM generate_series(1, :count)) AS taken"
    )
    for _ in range(TRIES):
        first, last = connection.execute(taken, {"name": table, "count": BLOCK}).one()
        if last - first == BLOCK - 1:
            return int(first)
    raise LookupError(f"no {BLOCK} numbers of {table} in a row could be had in {TRIES} tries")


def refresh(
    record: sa.Connection, journal: sa.Connection, known: Facts, now: float, blocks: Mapping[str, int] | None
) -> Facts:
    """Brings the journal up to what the record says of the host. blocks: newly kept numbers, if there are."""
    host = known.host
    _again(record, journal, pauses, pauses.c.host == host)
    _again(record, journal, breaker_resets, breaker_resets.c.host == host)
    _again(record, journal, levels, levels.c.host == host)
    _again(record, journal, jobs, jobs.c.host == host)
    _again(record, journal, senders, senders.c.host == host)
    _again(record, journal, tokens, tokens.c.host == host)
    _again(record, journal, hosts, sa.true())
    _again(record, journal, due_times, due_times.c.host == host, due_times.c.due_at > now - DUE_REMEMBERED)
    # Neither run nor tried again here: what has begun of them is the record's.
    journal.execute(due_times.update().where(due_times.c.state.in_(("waiting", "running"))).values(state="ran"))
    _alerts(record, journal, host)
    _told(record, journal, host)
    finished = _runs(record, journal, host, max(known.finished - OVERLAP, now - REMEMBERED))
    _decisions(record, journal, host)
    _forget(journal, now)
    head = audit.head(record, host)
    if blocks is not None:
        _begin_after(journal, blocks)
    following = Facts(
        host=host,
        at=now,
        chain=known.chain,
        head=() if head is None else (head.number, head.hash),
        blocks=known.blocks if blocks is None else blocks,
        blocks_at=known.blocks_at if blocks is None else now,
        pauses=list(record.scalars(sa.select(pauses.c.id).where(pauses.c.host == host))),
        finished=max(finished, known.finished),
    )
    write_facts(journal, following)
    return following


def _row(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """A row under the number that it has in a journal."""
    row: dict[str, Any] = dict(mapping)
    if "id" in row:
        row["id"] = -row["id"]
    return row


def _again(record: sa.Connection, journal: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> None:
    """A table that is small, whole."""
    rows = [_row(row) for row in record.execute(sa.select(table).where(*where)).mappings()]
    journal.execute(table.delete())
    if rows:
        journal.execute(table.insert(), rows)


def _alerts(record: sa.Connection, journal: sa.Connection, host: str) -> None:
    """Those of the host that fire. They are replaced in place: runs refer to them."""
    select = sa.select(alerts).where(alerts.c.host == host, alerts.c.status == "firing")
    rows = [_row(row) for row in record.execute(select).mappings()]
    journal.execute(alerts.delete().where(alerts.c.id.not_in([row["id"] for row in rows])))
    for row in rows:
        row["continued_by"] = None
    if rows:
        statement = insert(alerts, "sqlite")
        columns = {column.name: statement.excluded[column.name] for column in alerts.c if column.name != "id"}
        journal.execute(statement.on_conflict_do_update(index_elements=["id"], set_=columns), rows)


def _told(record: sa.Connection, journal: sa.Connection, host: str) -> None:
    """What people know already of those that fire."""
    firing = [-number for number in journal.scalars(sa.select(alerts.c.id))]
    select = sa.select(told).where(told.c.host == host, told.c.alert_id.in_(firing))
    rows = [dict(row) | {"alert_id": -row["alert_id"]} for row in record.execute(select).mappings()]
    journal.execute(told.delete())
    if rows:
        journal.execute(told.insert(), rows)


def _decisions(record: sa.Connection, journal: sa.Connection, host: str) -> None:
    """What was decided about those that fire, so that the same again is counted there."""
    firing = [-number for number in journal.scalars(sa.select(alerts.c.id))]
    there = set(journal.scalars(sa.select(runs.c.id)))
    select = sa.select(decisions).where(decisions.c.host == host, decisions.c.alert_id.in_(firing))
    rows = []
    for row in record.execute(select).mappings():
        run_id = -(row["run_id"] or 0)
        rows.append(_row(row) | {"alert_id": -row["alert_id"], "run_id": run_id if run_id in there else None})
    journal.execute(decisions.delete())
    if rows:
        journal.execute(decisions.insert(), rows)


_ONLY_OF_PEOPLE: Mapping[str, Any] = {"before": None, "notes": [], "params": {}, "at_work": False, "deaths": 0}
"""Of a copied run no guard asks for these."""


def _runs(record: sa.Connection, journal: sa.Connection, host: str, since: float) -> float:
    """Those that are not finished, and those that guards count; when the newest of them finished."""
    held = [-number for number in journal.scalars(sa.select(runs.c.id).where(runs.c.state != "finished"))]
    counted = sa.and_(runs.c.finished_at > since, runs.c.outcome.in_(COUNTED))
    wanted = sa.or_(runs.c.state != "finished", counted, runs.c.id.in_(held))
    found = [dict(row) for row in record.execute(sa.select(runs).where(runs.c.host == host, wanted)).mappings()]
    ids = [row["id"] for row in found]
    journal.execute(runs.delete().where(runs.c.id.in_([-number for number in [*ids, *held]])))
    there = {-number for number in journal.scalars(sa.select(runs.c.id))} | set(ids)
    firing = set(journal.scalars(sa.select(alerts.c.id)))
    rows = []
    for row in sorted(found, key=lambda row: row["id"]):
        state = "finished" if row["state"] == "finished" else "waiting"
        row = {**_row(row), **_ONLY_OF_PEOPLE, "state": state}
        row["parent_id"] = -row["parent_id"] if row["parent_id"] in there else None
        row["alert_id"] = -row["alert_id"] if -(row["alert_id"] or 0) in firing else None
        rows.append(row)
    if rows:
        journal.execute(runs.insert(), rows)
        of_runs = sa.select(actions).where(actions.c.run_id.in_(ids))
        done = [dict(row) | {"run_id": -row["run_id"]} for row in record.execute(of_runs).mappings()]
        if done:
            journal.execute(actions.insert(), done)
    return max((row["finished_at"] or 0.0 for row in rows), default=0.0)


def hold(journal: sa.Connection, run_id: int, host: str, task: str, target: str, now: float) -> None:
    """One run that is about to begin, before the next copy has all of it."""
    held = runs.insert().values(
        id=-run_id, host=host, task=task, target=target, params={}, trigger="run", caller="", dry_run=False,
        state="waiting", reason="", requested_at=now, notes=[],
    )  # fmt: skip
    same = (runs.c.host == host, runs.c.task == task, runs.c.target == target, runs.c.state != "finished")
    # Another that was in flight there is over, else the record had not taken this one.
    journal.execute(runs.delete().where(sa.or_(runs.c.id == -run_id, sa.and_(*same))))
    journal.execute(held)


def _forget(journal: sa.Connection, now: float) -> None:
    journal.execute(runs.delete().where(runs.c.finished_at < now - REMEMBERED))


def _begin_after(journal: sa.Connection, blocks: Mapping[str, int]) -> None:
    """What begins in the journal is numbered from there on."""
    for name, number in blocks.items():
        journal.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
        journal.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), {"name": name, "number": number}
        )


def take(journal: sa.Connection, now: float, *, exact: bool) -> Facts:
    """The journal is in use from now on. Raises LookupError where it cannot be: it says why.

    exact: whether nothing was stored in the record that the journal does not have. Else due times until now are left to
    the record, which may have begun with them.
    """
    known = read_facts(journal)
    if known is None or known.blocks is None:
        raise LookupError("it was never filled: the database has not been there since it was asked for")
    if known.bringing:
        raise LookupError("what it holds may be in the database already")
    if known.taken_at is None:
        if not exact:
            latest = sa.case((jobs.c.handled_until > now, jobs.c.handled_until), else_=now)
            journal.execute(jobs.update().values(handled_until=latest))
        known = Facts(**(known.__dict__ | {"taken_at": now, "exact": exact}))
        write_facts(journal, known)
    return known


def mark_bringing(journal: sa.Connection) -> None:
    """From now on nothing may be added: what there is may be in the record."""
    known = read_facts(journal)
    assert known is not None, "a journal that is brought home was in use"
    write_facts(journal, Facts(**(known.__dict__ | {"bringing": True})))
