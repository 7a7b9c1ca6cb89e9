"""The audit: a chain of records for each host, that is only ever added to.

What is stored and its record go into one transaction: there is none without the other. The database itself refuses to
change a record, and to delete one that no record of a shortening covers (the triggers of migration 0004).
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from exporter import __version__
from remediator.audit.record import NOTHING, Entry, Kind, Record, chained
from remediator.audit.verify import Head
from remediator.store.tables import alerts, audit, audit_heads, decisions, runs

_HEAD = sa.select(audit_heads.c.number, audit_heads.c.hash).where(audit_heads.c.host == sa.bindparam("of"))
_MOVE_HEAD = audit_heads.update().where(audit_heads.c.host == sa.bindparam("of"))
_MOVED_HEAD = _MOVE_HEAD.values(number=sa.bindparam("to_number"), hash=sa.bindparam("to_hash"))
_LOCKED_HEAD = _HEAD.with_for_update()
_INSERT = audit.insert()
_RECORD = [audit.c[name] for name in Record.__slots__]
JOURNAL = "/journal/"
"""What the name of a journal's chain has between the name of its host, which holds none, and its time."""
READ_AT_ONCE = 500
"""Records in memory while a chain is read."""
DELETED_AT_ONCE = 5000
"""Records that one transaction deletes, so that a webhook need not wait for long."""


def chain_of(connection: sa.Connection, host: str) -> str:
    """The name of the host's chain in this database: its own, but in a journal (the option ``chain``)."""
    chain: tuple[str, str] = connection.get_execution_options().get("chain", (host, host))
    return chain[1] if chain[0] == host else host


def append(connection: sa.Connection, host: str, *entries: Entry) -> None:
    """Records what is stored in the same transaction, in this order. A host that has no chain yet begins it."""
    if not entries:
        return
    host = chain_of(connection, host)
    # Locked until the transaction ends: two writers never take the same place in the chain.
    row = connection.execute(_LOCKED_HEAD, {"of": host}).first()
    if row is None:
        begin(connection, host, entries[0].at)
        row = connection.execute(_HEAD, {"of": host}).one()
    _add(connection, host, (row.number, row.hash), entries)


def _add(connection: sa.Connection, host: str, head: tuple[int, str], entries: tuple[Entry, ...]) -> None:
    number, previous = head
    records = []
    for entry in entries:
        number += 1
        record = chained(entry, host, number, previous)
        previous = record.hash
        records.append({name: getattr(record, name) for name in Record.__slots__})
    connection.execute(_INSERT, records)
    connection.execute(_MOVED_HEAD, {"of": host, "to_number": number, "to_hash": previous})


def begin(connection: sa.Connection, host: str, now: float) -> None:
    """Begins a host's chain, unless it has one. Its first record says what was there already, of which it proves
    nothing.
    """
    host = chain_of(connection, host)
    if head(connection, host) is not None:
        return
    connection.execute(audit_heads.insert().values(host=host, number=0, hash=NOTHING, deleted=0, deleted_hash=NOTHING))
    counts = {
        table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
        for table in (alerts, decisions, runs)
    }
    body = {"upkeeper": __version__, "older": counts}
    _add(connection, host, (0, NOTHING), (Entry("chain.begun", now, body=body),))


def head(connection: sa.Connection, host: str) -> Head | None:
    """The end of a host's chain; None if it has none."""
    row = connection.execute(_HEAD, {"of": chain_of(connection, host)}).first()
    return None if row is None else Head(row.number, row.hash)


def hosts(connection: sa.Connection) -> list[str]:
    """The hosts that have a chain."""
    return list(connection.scalars(sa.select(audit_heads.c.host).order_by(audit_heads.c.host)))


def records(connection: sa.Connection, host: str, after: int = 0, limit: int = READ_AT_ONCE) -> list[Record]:
    """The host's records behind that number, oldest first."""
    select = sa.select(*_RECORD).where(audit.c.host == chain_of(connection, host), audit.c.number > after)
    return [Record(*row) for row in connection.execute(select.order_by(audit.c.number).limit(limit))]


def page(connection: sa.Connection, host: str, after: int) -> tuple[list[Record], Head | None]:
    """The next records of the host behind that number, and the end of its chain at the same moment."""
    return records(connection, host, after), head(connection, host)


def of_kinds(connection: sa.Connection, host: str, kinds: Collection[Kind]) -> list[Record]:
    """The host's records of these kinds that are left, oldest first: of kinds that are few."""
    host = chain_of(connection, host)
    select = sa.select(*_RECORD).where(audit.c.host == host, audit.c.kind.in_(kinds)).order_by(audit.c.number)
    return [Record(*row) for row in connection.execute(select)]


def begins_at(connection: sa.Connection, host: str) -> float | None:
    """When the oldest of the host's records that are left was written (Unix seconds); None where there is none."""
    host = chain_of(connection, host)
    at = connection.scalar(sa.select(audit.c.at).where(audit.c.host == host).order_by(audit.c.number).limit(1))
    return None if at is None else at / 1000


def newest(connection: sa.Connection, limit: int, before: int | None, run_id: int | None) -> list[tuple[int, Record]]:
    """Records of every host with their ids, newest first: those about a run, and those older than an id."""
    select = sa.select(audit.c.id, *_RECORD).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        select = select.where(audit.c.id < before)
    if run_id is not None:
        select = select.where(audit.c.run_id == run_id)
    return [(row[0], Record(*row[1:])) for row in connection.execute(select)]


def before(connection: sa.Connection, host: str, at: int) -> int:
    """The number before that of the host's first record from then on (Unix milliseconds)."""
    host = chain_of(connection, host)
    mine = audit.c.host == host
    first = sa.select(audit.c.number).where(mine, audit.c.at >= at).order_by(audit.c.number).limit(1)
    found = connection.scalar(first)
    if found is None:
        found = (connection.scalar(sa.select(sa.func.max(audit.c.number)).where(mine)) or 0) + 1
    return int(found) - 1


def last_of(connection: sa.Connection, host: str, kind: Kind) -> float | None:
    """When the host's last record of a kind was written (Unix seconds)."""
    host = chain_of(connection, host)
    at = connection.scalar(sa.select(sa.func.max(audit.c.at)).where(audit.c.host == host, audit.c.kind == kind))
    return None if at is None else at / 1000


def has(connection: sa.Connection, host: str, kind: Kind, run_id: int) -> bool:
    """Whether the host has a record of a kind about a run."""
    about = (audit.c.run_id == run_id, audit.c.host == chain_of(connection, host), audit.c.kind == kind)
    return bool(connection.scalar(sa.select(sa.exists().where(*about))))


def chains(connection: sa.Connection) -> Sequence[Any]:
    """The chain of each host: ``host``, ``number`` and ``hash`` of its end, ``deleted``, the number of those gone."""
    columns = (audit_heads.c.host, audit_heads.c.number, audit_heads.c.hash, audit_heads.c.deleted)
    return connection.execute(sa.select(*columns).order_by(audit_heads.c.host)).all()


def chain(connection: sa.Connection, host: str) -> Iterator[Record]:
    """All records of the host that are left, oldest first, a few in memory at a time."""
    after = 0
    while found := records(connection, host, after):
        yield from found
        after = found[-1].number


def shorten(connection: sa.Connection, host: str, older_than: float, now: float) -> int:
    """Deletes the host's records from before ``older_than`` (Unix seconds), oldest first, at most DELETED_AT_ONCE.

    A record says which was the last of them, so that what is left is still proven. Returns how many.
    """
    host = chain_of(connection, host)
    row = connection.execute(sa.select(audit_heads).where(audit_heads.c.host == host).with_for_update()).first()
    if row is None:
        return 0
    mine = audit.c.host == host
    recent = (
        sa.select(audit.c.number).where(mine, audit.c.at >= int(older_than * 1000)).order_by(audit.c.number).limit(1)
    )
    # The newest record stays in any case: without records a chain proves nothing.
    through = min((connection.scalar(recent) or row.number) - 1, row.number - 1, row.deleted + DELETED_AT_ONCE)
    if through <= row.deleted:
        return 0
    digest = connection.scalar(sa.select(audit.c.hash).where(mine, audit.c.number == through))
    body = {"deleted_through": through, "hash": digest, "deleted": through - row.deleted}
    append(connection, host, Entry("chain.shortened", now, body=body))
    connection.execute(_MOVE_HEAD.values(deleted=through, deleted_hash=digest), {"of": host})
    connection.execute(audit.delete().where(mine, audit.c.number <= through))
    return int(through - row.deleted)
