"""A record moved from one database into another, row by row, with its numbers: the audit's hashes hold them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from remediator.audit.verify import Chain
from remediator.store import audit
from remediator.store.tables import alerts, decisions, hosts, metadata, runs
from remediator.store.tables import audit as audit_table

AT_ONCE = 500
"""Rows in memory."""

MOVED = tuple(table for table in metadata.sorted_tables if table is not hosts)
"""In an order in which no row comes before one that it refers to; hosts say themselves that they are there."""


def under_way(connection: sa.Connection, host: str) -> Sequence[int]:
    """The host's runs of which the engine knows more than the record does."""
    begun = runs.c.state.not_in(("queued", "waiting", "running", "finished"))
    return list(connection.scalars(sa.select(runs.c.id).where(runs.c.host == host, begun).order_by(runs.c.id)))


def holders(connection: sa.Connection) -> Sequence[str]:
    """Those whose record a database has."""
    found: set[str] = {*audit.hosts(connection), *connection.scalars(sa.select(hosts.c.host))}
    return sorted(found)


def move(source: sa.Connection, target: sa.Connection, host: str, *, shared: bool) -> Mapping[str, int]:
    """Copies a host's record into an empty database; the number of rows of each table.

    shared: whether hosts share the target; else they may share the source, of which only this host's rows are taken.
    Raises ValueError when what has arrived is not what was there.
    """
    counts = {}
    for table in MOVED:
        count = 0
        for rows in _rows(source, table, None if shared else host):
            target.execute(table.insert(), [as_there(table, row, host if shared else None) for row in rows])
            count += len(rows)
        counts[table.name] = count
        arrived = target.scalar(sa.select(sa.func.count()).select_from(table))
        if arrived != count:
            raise ValueError(f"{arrived} of {count} rows of {table.name} have arrived")
        if "id" in table.c:
            _go_on_after(target, table, _last_number(source, table))
    faults = [fault for name in audit.hosts(target) for fault in faults_of(target, name)]
    if faults:
        raise ValueError(f"the audit that has arrived is broken: {faults[0]}")
    return counts


def _rows(source: sa.Connection, table: sa.Table, host: str | None) -> Iterator[list[dict[str, Any]]]:
    select = sa.select(table).order_by(*table.primary_key.columns)
    if host is not None:
        select = select.where(_of(table, host))
    result = source.execution_options(yield_per=AT_ONCE).execute(select).mappings()
    for part in result.partitions(AT_ONCE):
        yield [dict(row) for row in part]


def _of(table: sa.Table, host: str) -> sa.ColumnElement[bool]:
    """Which rows of a table are a host's, where several share it."""
    mine = sa.select(runs.c.id).where(runs.c.host == host)
    if table is alerts:
        decided = sa.select(decisions.c.alert_id).where(decisions.c.host == host)
        asked = sa.select(runs.c.alert_id).where(runs.c.host == host, runs.c.alert_id.is_not(None))
        return sa.or_(alerts.c.host == host, alerts.c.id.in_(decided), alerts.c.id.in_(asked))
    if table.name in ("audit", "audit_heads"):
        # Also those of its journals, and the chains of names that the machine had before: no host has ever had those.
        former = sa.and_(table.c.host.not_in(sa.select(hosts.c.host)), sa.not_(table.c.host.contains(audit.JOURNAL)))
        return sa.or_(table.c.host == host, table.c.host.startswith(f"{host}{audit.JOURNAL}", autoescape=True), former)
    if "host" in table.c:
        return table.c.host == host
    if "run_id" in table.c:
        return table.c.run_id.in_(mine)
    raise LookupError(f"nothing tells whose a row of {table.name} is")


def as_there(table: sa.Table, row: dict[str, Any], host: str | None) -> dict[str, Any]:
    """A row as the other database has it. host: of those that share it; None: one machine's own."""
    if table is alerts:
        row |= {"host": host, "no_host": None if host is None else row["no_host"]}
    if host is not None and table is not audit_table:
        # PostgreSQL stores no NUL in a text. The audit's are written out in its JSON.
        row = {name: value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
               for name, value in row.items()}  # fmt: skip
    return row


def _last_number(source: sa.Connection, table: sa.Table) -> int:
    """The highest number that a table ever gave, so that none comes twice."""
    if source.dialect.name == "postgresql":
        statement = "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, 'id') AS regclass))"
    else:
        statement = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    given = source.scalar(sa.text(statement), {"name": table.name})
    return int(given or 0)


def _go_on_after(target: sa.Connection, table: sa.Table, number: int) -> None:
    if target.dialect.name == "postgresql":
        if number:
            statement = "SELECT setval(pg_get_serial_sequence(:name, 'id'), :number)"
            target.execute(sa.text(statement), {"name": table.name, "number": number})
        return
    target.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
    statement = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"
    target.execute(sa.text(statement), {"name": table.name, "number": number})


def faults_of(connection: sa.Connection, host: str) -> Sequence[str]:
    """What is wrong with a chain."""
    chain = Chain(host)
    chain.take(audit.chain(connection, host))
    return chain.end(audit.head(connection, host))
