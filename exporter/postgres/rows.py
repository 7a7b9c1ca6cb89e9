"""What the queries found, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.inventory.postgres import PostgresLimits
from exporter.postgres.bloat import Column, bloat_bytes
from exporter.postgres.session import Row


class ServerFacts(NamedTuple):
    """A row of FACTS."""

    version: str
    started: float
    in_recovery: bool
    max_connections: int
    reserved_connections: int
    freeze_max_age: int
    multixact_freeze_max_age: int
    block_bytes: int
    version_number: int
    """As 150004 for 15.4."""


class Database(NamedTuple):
    """A row of DATABASES."""

    name: str
    connectable: bool
    xid_age: int
    multixact_age: int
    deadlocks: int | None
    blocks_hit: int | None
    blocks_read: int | None


class Activity(NamedTuple):
    """A row of ACTIVITY."""

    database: str
    state: str
    connections: int
    waiting: int
    oldest_transaction: float | None


class Standby(NamedTuple):
    """A row of STANDBYS."""

    name: str
    lag_bytes: float | None
    lag_seconds: float | None


class Slot(NamedTuple):
    """A row of SLOTS."""

    name: str
    active: bool
    retained_bytes: float | None
    wal_status: str | None


class Archive(NamedTuple):
    """A row of ARCHIVE. Times are Unix seconds."""

    archived: int
    failed: int
    last_archived: float | None
    last_failed: float | None
    waiting: int
    waiting_since: float | None


class Recovery(NamedTuple):
    """A row of RECOVERY."""

    receivers: int
    last_replayed: float | None
    pending_bytes: float | None


class Vacuum(NamedTuple):
    """A row of VACUUMS. What another user's vacuum does is None without pg_monitor."""

    database: str
    relation: int | None
    phase: str | None
    blocks: int | None
    scanned: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """One of the worst tables of a database."""

    oid: int
    name: str
    """With its schema, quoted where SQL wants that."""
    bytes: int
    """Of the table alone, as of its last vacuum or analyze."""
    live: int
    dead: int
    last_vacuum: float | None
    last_analyze: float | None
    bloat: int | None
    """Estimated bytes; None where the widths of its columns are not known."""


class Index(NamedTuple):
    """An invalid or an unused index."""

    name: str
    valid: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class Details:
    """Of one database, which only a connection to it can tell."""

    tables: Sequence[Table]
    indexes: Sequence[Index]
    collations: int | None = None
    """Those in use with another version now than when they were made, without the database's own default."""
    extensions: int | None = None
    """Those that are installed in another version than the server's files would install now."""
    without_statistics: int | None = None
    """Tables of some size that the planner has no statistics of."""


@dataclass(frozen=True, slots=True)
class ServerReading:
    """What is known of a server. None is what could not be found out."""

    server: str
    limits: PostgresLimits
    facts: ServerFacts | None = None
    """None: the server is down, and nothing else is known either."""
    databases: Sequence[Database] | None = None
    activity: Sequence[Activity] | None = None
    standbys: Sequence[Standby] | None = None
    slots: Sequence[Slot] | None = None
    recovery: Recovery | None = None
    vacuums: Sequence[Vacuum] | None = None
    wal_bytes: int | None = None
    archive: Archive | None = None
    """None: the server does not archive, or does not tell."""
    default_collations: Mapping[str, bool] = field(default_factory=dict)
    """Whether a database's default collation has another version now than when the database was made. From 15 on."""
    measured: frozenset[str] = frozenset()
    """Names of the databases that the config asks for."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes by database."""
    details: Mapping[str, Details] = field(default_factory=dict)


def worst_tables(rows: Sequence[Row], count: int, block_bytes: int) -> list[Table]:
    """From the rows of ``queries.tables``, the ``count`` with the most dead rows, and as many with the most bloat."""
    most_dead, bloated = [], []
    for *first, for_dead, lengths, aligns, widths, nulls in rows:
        oid, name, pages, tuples, live, dead, last_vacuum, last_analyze, fill_factor = first
        bloat = None
        if tuples >= 0 and widths and None not in widths:
            columns = [Column(*column) for column in zip(lengths, aligns, widths, nulls, strict=True)]
            bloat = bloat_bytes(pages, tuples, columns, fill_factor, block_bytes)
        table = Table(oid, name, pages * block_bytes, live, dead, last_vacuum, last_analyze, bloat)
        if for_dead:
            most_dead.append(table)
        if bloat:
            bloated.append(table)
    bloated.sort(key=lambda table: table.bloat or 0, reverse=True)
    return list({table.oid: table for table in [*most_dead, *bloated[:count]]}.values())


def worst_indexes(rows: Sequence[Row], count: int, block_bytes: int) -> list[Index]:
    """From the rows of INDEXES, all that are invalid, and the ``count`` largest that are unused."""
    return [
        Index(name, valid, pages * block_bytes) for _, name, valid, pages, place in rows if not valid or place <= count
    ]
