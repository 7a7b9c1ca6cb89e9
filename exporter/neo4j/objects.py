"""What a Neo4j server's answers say, as values. Pure.

The columns are those of the Cypher manual, https://neo4j.com/docs/cypher-manual/current/; a column that a server does
not have yet is taken as not told.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import ByteSize, TypeAdapter

IndexState = Literal["online", "populating", "failed"]
INDEX_STATES: Sequence[IndexState] = get_args(IndexState)

Row = Mapping[str, Any]

# Enterprise's own metrics as beans, https://neo4j.com/docs/operations-manual/current/monitoring/metrics/reference/
_STORE = re.compile(r"\.database\.(?P<database>.+)\.store\.size\.(?P<part>total|database)")
_PAGE_CACHE = re.compile(r"\.dbms\.page_cache\.(?P<part>hit|usage)_ratio")

_SIZE: TypeAdapter[ByteSize] = TypeAdapter(ByteSize)
_MAY_SHOW_TRANSACTIONS = re.compile(
    r"GRANT (IMMUTABLE )?(ALL\b.*|(SHOW TRANSACTIONS?|TRANSACTION( MANAGEMENT)?) \(\*\)) ON DATABASES? \*"
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index as SHOW INDEXES tells it. Times are Unix seconds."""

    name: str
    state: str
    """One of INDEX_STATES, or what else the server says, in lower case."""
    population: float | None = None
    """How much of it is populated, 0 to 1."""
    reads: int | None = None
    """Since ``tracked_since``. As of Neo4j 5.8."""
    last_read: float | None = None
    tracked_since: float | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """A database on the server. None is what could not be learnt."""

    name: str
    online: bool
    requested_online: bool
    kind: str = "standard"
    indexes: Sequence[Index] | None = None
    nodes: int | None = None
    relationships: int | None = None
    transactions: int | None = None
    """Open now, without ours."""
    oldest_transaction: float | None = None
    """Unix seconds when the oldest open transaction began; None without one."""
    store_bytes: int | None = None
    transaction_log_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the server's process, in bytes and ratios. None is what the server does not tell."""

    heap_used: int | None = None
    heap_max: int | None = None
    page_cache_max: int | None = None
    page_cache_hit_ratio: float | None = None
    page_cache_usage_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    databases: Sequence[Database]
    version: str | None = None
    edition: str | None = None
    memory: Memory = Memory()


def parse_databases(rows: Iterable[Row]) -> Sequence[Database]:
    """From SHOW DATABASES, which has a row for each server of a cluster: online is what some server serves."""
    found: dict[str, Database] = {}
    for row in rows:
        before = found.get(row["name"])
        online, requested = row["currentStatus"] == "online", row["requestedStatus"] == "online"
        if before is not None:
            online, requested = online or before.online, requested or before.requested_online
        found[row["name"]] = Database(row["name"], online, requested, kind=row["type"])
    return list(found.values())


def parse_indexes(rows: Iterable[Row]) -> Sequence[Index]:
    """From SHOW INDEXES."""
    return [
        Index(
            name=row["name"],
            state=row["state"].lower(),
            population=_ratio(row.get("populationPercent"), 100),
            reads=row.get("readCount"),
            last_read=_seconds(row.get("lastRead")),
            tracked_since=_seconds(row.get("trackedSince")),
        )
        for row in rows
    ]


def parse_transactions(rows: Iterable[Row], ours: Mapping[str, object]) -> Mapping[str, Sequence[float]]:
    """Unix seconds of the begin of each open transaction, by database, from SHOW TRANSACTIONS.

    ours: the metadata of our own, which do not count.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        began = _seconds(row["startTime"])
        if began is not None and (row.get("metaData") or {}) != ours:
            found.setdefault(row["database"], []).append(began)
    return found


def parse_components(rows: Iterable[Row]) -> tuple[str | None, str | None]:
    """Version and edition, from dbms.components."""
    for row in rows:
        if row["name"] == "Neo4j Kernel":
            return next(iter(row["versions"]), None), row["edition"]
    return None, None


def may_show_transactions(rows: Iterable[Row]) -> bool:
    """Whether these privileges, as commands, let their user see everybody's transactions in all databases."""
    return any(_MAY_SHOW_TRANSACTIONS.match(row["command"]) for row in rows)


def parse_heap(rows: Iterable[Row]) -> tuple[int | None, int | None]:
    """Bytes of the heap in use, and its limit if it has one, from the bean java.lang:type=Memory."""
    for row in rows:
        usage = row["attributes"]["HeapMemoryUsage"]["value"]["properties"]
        return usage["used"], usage["max"] if usage["max"] >= 0 else None
    return None, None


def parse_size(rows: Iterable[Row]) -> int | None:
    """Bytes of a setting such as ``512.00MiB``; None where it is not set."""
    for row in rows:
        value = row["value"]
        if isinstance(value, str) and re.fullmatch(r"[\d.]+ ?[KMGTP]?i?B", value):
            return int(_SIZE.validate_python(value))
    return None


def parse_store_beans(rows: Iterable[Row]) -> Mapping[str, tuple[int | None, int | None]]:
    """Bytes of the store and of the transaction logs by database, from Enterprise's own metrics."""
    sizes: dict[str, dict[str, float]] = {}
    for row in rows:
        value = _gauge(row)
        if (match := _STORE.search(row["name"])) and value is not None:
            sizes.setdefault(match["database"], {})[match["part"]] = value
    found: dict[str, tuple[int | None, int | None]] = {}
    for name, parts in sizes.items():
        store, total = parts.get("database"), parts.get("total")
        logs = total - store if store is not None and total is not None else None
        found[name] = (None if store is None else int(store), None if logs is None else int(logs))
    return found


def parse_page_cache_beans(rows: Iterable[Row]) -> tuple[float | None, float | None]:
    """Hit ratio and usage ratio of the page cache, from Enterprise's own metrics."""
    parts = {match["part"]: _gauge(row) for row in rows if (match := _PAGE_CACHE.search(row["name"]))}
    return parts.get("hit"), parts.get("usage")


def _gauge(row: Row) -> float | None:
    value = row["attributes"].get("Value", {}).get("value")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _ratio(value: float | None, whole: float) -> float | None:
    return None if value is None or not math.isfinite(value) else value / whole


def _seconds(value: Any) -> float | None:
    """Unix seconds of a time as the driver or, in ISO 8601, the server writes it."""
    if value is None or value == "":
        return None
    moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value.to_native()
    return moment.timestamp()
