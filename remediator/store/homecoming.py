"""What a host has recorded in its journal while the shared record was away, brought into that, in one transaction.

Rows keep the numbers that were kept for them. Rows with numbers below zero are copies of the record's own and stay out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.store import audit, fleet
from remediator.store import runs as run_store
from remediator.store.mirror import BLOCK, Facts
from remediator.store.moving import as_there, faults_of
from remediator.store.tables import (
    actions,
    alerts,
    approvals,
    artefacts,
    asks,
    audit_heads,
    breaker_resets,
    chat_messages,
    decisions,
    due_times,
    hosts,
    jobs,
    levels,
    pauses,
    rollouts,
    run_rows,
    runs,
    senders,
    silences,
    tokens,
    told,
)
from remediator.store.tables import (
    audit as audit_table,
)
from remediator.store.upsert import insert

IN_ORDER = ("queued", "waiting", "running", "finished")
"""States of a run of which the record says all there is."""
BROUGHT = frozenset({
    actions, alerts, approvals, artefacts, audit_heads, audit_table, breaker_resets, chat_messages, decisions,
    due_times, jobs, levels, pauses, run_rows, runs, silences, told, tokens,
})  # fmt: skip
LEFT = frozenset({asks, hosts, rollouts, senders})
"""Tables of which a journal holds nothing that the record lacks: hosts say themselves that they are there, rollouts do
not begin on a journal, nobody is asked there, and the next webhook names its sender.
"""
Row = dict[str, Any]
NOTHING_OVER: Mapping[int, str] = {}


@dataclass(frozen=True)
class Brought:
    """What came home. renumbered: runs whose numbers others have, by the number that the journal's audit names."""

    alerts: int
    decisions: int
    runs: int
    records: int
    renumbered: Mapping[int, int]


def under_way(journal: sa.Connection) -> Sequence[int]:
    """The journal's own runs of which its engine knows more than it does."""
    begun = (runs.c.id > 0, runs.c.state.not_in(IN_ORDER))
    return list(journal.scalars(sa.select(runs.c.id).where(*begun).order_by(runs.c.id)))


def is_home(record: sa.Connection, known: Facts) -> bool:
    """Whether the record has all of it: its chain is there, or nothing of it is."""
    return audit.head(record, known.chain) is not None


def bring(journal: sa.Connection, record: sa.Connection, known: Facts, now: float) -> Brought:
    """Brings it home. Raises ValueError when the journal's audit is broken, and sqlalchemy.exc.SQLAlchemyError."""
    host = known.host
    found = faults_of(journal, known.chain)
    if found:
        raise ValueError(f"the audit of the journal is broken: {found[0]}")
    _not_behind(record, known.blocks or {})
    episodes = _Alerts(journal, record, known)
    ids = _Runs(journal, record, known, episodes.ids)
    approval_ids = _insert(journal, record, approvals, host, {"run_id": ids.of}, ids.over)
    _insert(journal, record, chat_messages, host, {"approval_id": approval_ids})
    _insert(journal, record, artefacts, host, {"run_id": ids.of})
    _insert(journal, record, silences, host, {"run_id": ids.of})
    decided = _insert(journal, record, decisions, host, {"alert_id": episodes.ids, "run_id": ids.of})
    _repeats(journal, record)
    _due_times(journal, record, host, ids.of)
    _jobs(journal, record, known)
    _pauses(journal, record, known)
    _newest(record, breaker_resets, _rows(journal, breaker_resets))
    _newest(record, levels, _rows(journal, levels))
    known_ones = (row | {"alert_id": episodes.ids[row["alert_id"]]} for row in _rows(journal, told))
    _newest(record, told, known_ones)
    _tokens(journal, record, host)
    count = _chain(journal, record, known)
    brought = Brought(episodes.own, len(decided), len(ids.of), count, ids.renumbered)
    body = {
        "chain": known.chain,
        "records": count,
        "head": record.scalar(sa.select(audit_heads.c.hash).where(audit_heads.c.host == known.chain)),
        "since": int((known.taken_at or now) * 1000),
        "alerts": brought.alerts,
        "decisions": brought.decisions,
        "runs": brought.runs,
        "renumbered": {str(before): after for before, after in ids.renumbered.items()},
    }
    audit.append(record, host, Entry("journal.brought", now, body=body))
    fleet.call(record, episodes.others)
    return brought


def _own(journal: sa.Connection, table: sa.Table) -> list[Row]:
    """The rows of a numbered table that began in the journal, in order."""
    select = sa.select(table).where(table.c.id > 0).order_by(table.c.id)
    return [dict(row) for row in journal.execute(select).mappings()]


def _insert(
    journal: sa.Connection,
    record: sa.Connection,
    table: sa.Table,
    host: str,
    refers: Mapping[str, Mapping[int, int]],
    over: Mapping[int, str] = NOTHING_OVER,
) -> dict[int, int]:
    """Rows whose number is nobody's concern; the numbers that they have now, by those that they had.

    refers: the numbers in the record of what a column refers to. A row whose owner is not there is left out.
    over: the journal's runs that are closed as they come home, with why; what they ask for is over too.
    """
    numbers = {}
    for row in _own(journal, table):
        before = row.pop("id")
        if over.get(row.get("run_id") or 0) is not None and row.get("state") == "asked":
            row |= {"state": "cancelled", "reason": over[row["run_id"]]}
        if not _refer(table, row, refers):
            continue
        key = record.execute(table.insert().values(as_there(table, row, host))).inserted_primary_key
        assert key is not None
        numbers[before] = int(key[0])
    return numbers


def _refer(table: sa.Table, row: Row, refers: Mapping[str, Mapping[int, int]]) -> bool:
    for column, numbers in refers.items():
        if row[column] is None:
            continue
        row[column] = -row[column] if row[column] < 0 else numbers.get(row[column])
        if row[column] is None and not table.c[column].nullable:
            return False
    return True


def _kept(record: sa.Connection, table: sa.Table, begin: int, number: int) -> Row:
    """The number of a new row, if it was kept for the journal and is nobody's in a record that was restored since."""
    taken = sa.select(sa.literal(1)).where(table.c.id == number)
    return {"id": number} if begin < number <= begin + BLOCK and record.scalar(taken) is None else {}


def _not_behind(record: sa.Connection, begins: Mapping[str, int]) -> None:
    """Numbers that were kept are not given again, also by a record that was restored from before they were."""
    for name, begin in begins.items():
        statement = (
            "SELECT setval(pg_get_serial_sequence(:name, 'id'), :last) WHERE"
            " coalesce(pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, 'id') AS regclass)), 0) < :last"
        )
        record.execute(sa.text(statement), {"name": name, "last": begin + BLOCK})


class _Alerts:
    """Episodes, known by fingerprint and start wherever they were received.

    ids: the number in the record of each that it has now, by the journal's. own: how many of the host's came here.
    others: the hosts whose alerts came here.
    """

    def __init__(self, journal: sa.Connection, record: sa.Connection, known: Facts) -> None:
        host = known.host
        self._begin = (known.blocks or {})[alerts.name]
        self.ids: dict[int, int] = {}
        self.own = 0
        self.others: set[str] = set()
        rows = [dict(row) for row in journal.execute(sa.select(alerts).order_by(alerts.c.fingerprint)).mappings()]
        continued = {row["id"]: row["continued_by"] for row in rows if row["continued_by"] is not None}
        for row in rows:
            before = row["id"]
            mine = row["host"] == host
            same = (alerts.c.fingerprint == row["fingerprint"], alerts.c.starts_at == row["starts_at"])
            there = record.execute(sa.select(alerts).where(*same).with_for_update()).mappings().first()
            if there is None:
                self._insert(record, row, host, mine=mine)
            else:
                self.ids[before] = there["id"]
                if mine:
                    self._merge(record, dict(there), row)
            self.own += mine and before > 0
        for before, after in continued.items():
            where = alerts.c.id == self.ids[before]
            record.execute(alerts.update().where(where).values(continued_by=self.ids.get(after)))

    def _insert(self, record: sa.Connection, row: Row, host: str, *, mine: bool) -> None:
        before = row.pop("id")
        owner, no_host = row["host"], row["no_host"]
        values = as_there(alerts, row, host) | {"host": owner, "no_host": no_host, "continued_by": None}
        number = _kept(record, alerts, self._begin, before)
        key = record.execute(alerts.insert().values(**values, **number)).inserted_primary_key
        assert key is not None
        self.ids[before] = int(key[0])
        if not mine and owner:
            self.others.add(owner)

    @staticmethod
    def _merge(record: sa.Connection, there: Row, row: Row) -> None:
        ended = "resolved" in (there["status"], row["status"])
        decided = row["decided_receptions"] >= row["receptions"]
        receptions = there["receptions"] if decided else there["receptions"] + 1
        values = {
            "status": "resolved" if ended else "firing",
            "ends_at": (there["ends_at"] or row["ends_at"]) if ended else None,
            "last_received_at": max(there["last_received_at"], row["last_received_at"]),
            "seen_at": max(there["seen_at"] or 0.0, row["seen_at"] or 0.0) or None,
            "muted": row["muted"],
            "receptions": receptions,
            # It was looked at in the journal, also where another host has received it meanwhile.
            "decided_receptions": receptions if decided else there["decided_receptions"],
            "due_at": None if ended else row["due_at"],
        }
        record.execute(alerts.update().where(alerts.c.id == there["id"]).values(values))


class _Runs:
    """The journal's own runs with their actions and rows. of: their numbers in the record, by the journal's.

    over: those that were closed here, with why.
    """

    def __init__(
        self, journal: sa.Connection, record: sa.Connection, known: Facts, episodes: Mapping[int, int]
    ) -> None:
        self.of: dict[int, int] = {}
        self.renumbered: dict[int, int] = {}
        self.over: dict[int, str] = {}
        host = known.host
        begin = (known.blocks or {})[runs.name]
        for row in _own(journal, runs):
            before = row.pop("id")
            row["alert_id"] = None if row["alert_id"] is None else episodes.get(row["alert_id"])
            row["parent_id"] = None if row["parent_id"] is None else self.of.get(row["parent_id"])
            values = as_there(runs, row, host) | {"slot": None, "at_work": False}
            rival = None if row["state"] == "finished" else _in_flight(record, row)
            if rival is not None:
                values |= _closed(rival, row)
                self.over[before] = values["reason"]
            number = _kept(record, runs, begin, before)
            key = record.execute(runs.insert().values(**values, **number)).inserted_primary_key
            assert key is not None
            self.of[before] = int(key[0])
            if self.of[before] != before:
                self.renumbered[before] = self.of[before]
            for table in (actions, run_rows):
                _parts(journal, record, table, before, self.of[before], host)
        self._not_twice(record, known, journal)

    def _not_twice(self, record: sa.Connection, known: Facts, journal: sa.Connection) -> None:
        """What the host had stored when it lost the record, had not begun, and did not know of in its journal, where it
        then was done, is not done again.
        """
        done = {(row["task"], row["target"]): row["id"] for row in _own(journal, runs) if row["outcome"] != "cancelled"}
        mine = (
            runs.c.host == known.host,
            runs.c.state == "queued",
            runs.c.attempt == 0,
            runs.c.parent_id.is_(None),
            runs.c.trigger.in_(("alert", "schedule")),
            runs.c.requested_at >= known.at - 1,
            runs.c.requested_at <= (known.taken_at or 0.0),
        )
        for run_id, task, target in record.execute(sa.select(runs.c.id, runs.c.task, runs.c.target).where(*mine)).all():
            if (task, target) in done:
                why = f"run {self.of[done[task, target]]} did it while the database was away"
                run_store.finish(record, run_id, "cancelled", why, known.taken_at or 0.0)


def _in_flight(record: sa.Connection, row: Row) -> int | None:
    """The record's run in whose way an unfinished one of the journal's would be."""
    same = (runs.c.host == row["host"], runs.c.task == row["task"], runs.c.target == row["target"])
    return record.scalar(sa.select(runs.c.id).where(*same, runs.c.state != "finished"))


def _closed(rival: int, row: Row) -> Row:
    return {
        "state": "finished",
        "outcome": "cancelled",
        "reason": f"run {rival} of the same task on this target was asked for while the database was away",
        "finished_at": row["requested_at"],
    }


def _parts(journal: sa.Connection, record: sa.Connection, table: sa.Table, before: int, now: int, host: str) -> None:
    rows = [
        as_there(table, dict(row), host) | {"run_id": now}
        for row in journal.execute(sa.select(table).where(table.c.run_id == before)).mappings()
    ]
    if rows:
        record.execute(table.insert(), rows)


def _repeats(journal: sa.Connection, record: sa.Connection) -> None:
    """Decisions of the record that were made again on the journal."""
    select = sa.select(decisions.c.id, decisions.c.last_at, decisions.c.repeats, decisions.c.reason)
    for row in journal.execute(select.where(decisions.c.id < 0)):
        older = (decisions.c.id == -row.id, decisions.c.last_at < row.last_at)
        values = {"last_at": row.last_at, "repeats": row.repeats, "reason": row.reason}
        record.execute(decisions.update().where(*older).values(as_there(decisions, values, None)))


def _due_times(journal: sa.Connection, record: sa.Connection, host: str, ids: Mapping[int, int]) -> None:
    """A due time that the record has already stays as it is there."""
    for row in _own(journal, due_times):
        del row["id"]
        row["targets"] = [each | {"run_id": ids.get(each["run_id"] or 0)} for each in row["targets"]]
        statement = insert(due_times, record.dialect.name).values(as_there(due_times, row, host))
        record.execute(statement.on_conflict_do_nothing(index_elements=["host", "job", "due_at"]))


def _jobs(journal: sa.Connection, record: sa.Connection, known: Facts) -> None:
    """How far each job has come. Where the journal passed over due times that the record might have begun with, the
    record says what it had not: those that ran here it knows by now.
    """
    for row in _rows(journal, jobs):
        same = (jobs.c.host == row["host"], jobs.c.name == row["name"])
        there = record.execute(sa.select(jobs).where(*same)).mappings().first()
        if there is None:
            record.execute(jobs.insert().values(as_there(jobs, row, known.host)))
            continue
        if not known.exact:
            row["handled_until"] = min(there["handled_until"], row["handled_until"])
        for name in ("last_due_at", "last_run_at", "last_success_at"):
            row[name] = max(row[name] or 0.0, there[name] or 0.0) or None
        if (there["last_run_at"] or 0.0) > (_value(journal, row, "last_run_at") or 0.0):
            row["last_outcome"] = there["last_outcome"]
        row["missed"] = max(row["missed"], there["missed"])
        row["done_until"] = max(row["done_until"], there["done_until"])
        record.execute(jobs.update().where(*same).values(as_there(jobs, row, known.host)))


def _value(journal: sa.Connection, row: Row, column: str) -> Any:
    where = (jobs.c.host == row["host"], jobs.c.name == row["name"])
    return journal.scalar(sa.select(jobs.c[column]).where(*where))


def _rows(journal: sa.Connection, table: sa.Table) -> Iterator[Row]:
    yield from [dict(row) for row in journal.execute(sa.select(table)).mappings()]


def _pauses(journal: sa.Connection, record: sa.Connection, known: Facts) -> None:
    """Those that a person set here replace others of the same; those that one ended here, end."""
    left = {-number for number in journal.scalars(sa.select(pauses.c.id).where(pauses.c.id < 0))}
    ended = [number for number in known.pauses if number not in left]
    record.execute(pauses.delete().where(pauses.c.host == known.host, pauses.c.id.in_(ended)))
    for row in _own(journal, pauses):
        del row["id"]
        same = pauses.c.task.is_(None) if row["task"] is None else pauses.c.task == row["task"]
        record.execute(pauses.delete().where(pauses.c.host == known.host, same, pauses.c.since < row["since"]))
        record.execute(pauses.insert().values(as_there(pauses, row, known.host)))


def _newest(record: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Of a table with one row a key, the newer one stays."""
    keys = [column.name for column in table.primary_key]
    for row in rows:
        statement = insert(table, record.dialect.name).values(as_there(table, row, row["host"]))
        values = {name: statement.excluded[name] for name in row if name not in keys}
        newer = statement.excluded.at > table.c.at
        record.execute(statement.on_conflict_do_update(index_elements=keys, set_=values, where=newer))


def _tokens(journal: sa.Connection, record: sa.Connection, host: str) -> None:
    for row in _rows(journal, tokens):
        made_here = row.pop("id") > 0
        same = tokens.c.hash == row["hash"]
        if row["revoked_at"] is not None:
            record.execute(tokens.update().where(same, tokens.c.revoked_at.is_(None))
                           .values(revoked_at=row["revoked_at"]))  # fmt: skip
        if made_here:
            name = (tokens.c.host == host, tokens.c.name == row["name"], tokens.c.revoked_at.is_(None))
            if row["revoked_at"] is None and record.scalar(sa.select(tokens.c.id).where(*name)) is not None:
                continue  # it has been made there as well; one of the name is in force
            record.execute(tokens.insert().values(as_there(tokens, row, host)))


def _chain(journal: sa.Connection, record: sa.Connection, known: Facts) -> int:
    """The journal's audit as it is, as a chain of its own; the number of its records."""
    count = 0
    columns = [column for column in audit_table.c if column.name != "id"]
    select = sa.select(*columns).where(audit_table.c.host == known.chain).order_by(audit_table.c.number)
    for part in journal.execute(select).mappings().partitions(500):
        record.execute(audit_table.insert(), [dict(row) for row in part])
        count += len(part)
    head = journal.execute(sa.select(audit_heads).where(audit_heads.c.host == known.chain)).mappings().one()
    record.execute(audit_heads.insert().values(**head))
    return count
