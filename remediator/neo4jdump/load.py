"""Loads an export into an empty database. New nodes are found by numbers kept beside it: no property is left behind."""

import mmap
import re
import struct
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, LiteralString

from exporter.neo4j.driver import Neo4jDriver
from remediator.model.task import TaskError
from remediator.neo4jdump.lines import Counts, ExportStream, InTime, Line, Node, Relationship, Schema
from remediator.neo4jdump.values import IN_TIME, decoded

_ROWS = 2000
_BYTES = 4 * 1024**2
"""Of a batch, as lines: one transaction each."""
_SECONDS = 3600.0
_CREATES = re.compile(r"CREATE (RANGE |TEXT |POINT |FULLTEXT |VECTOR |LOOKUP )?(INDEX|CONSTRAINT) ")
_LOOKUPS: LiteralString = (
    "SHOW INDEXES YIELD name, type, createStatement WHERE type = 'LOOKUP' RETURN name, createStatement"
)
_Group = tuple[Any, ...]


async def load(
    driver: Neo4jDriver, database: str, pieces: Iterable[bytes], scratch: Path | None = None, besides: str | None = None
) -> Counts:
    """Loads the lines in pieces of bytes into a database, and says what was created; its indexes are online then.

    scratch: directory of a temporary file of 8 bytes a node; None for the system's. besides: label of nodes that may be
    there all the same. Reading the pieces blocks, so this belongs into a thread with a loop of its own. Raises
    TaskError where the database is not empty, and ExportBroken, Neo4jUnavailable and Neo4jRefused; what was loaded
    until then stays.
    """
    await _require_empty(driver, database, besides)
    stream = ExportStream()
    with _Map(scratch) as numbers:
        loading = _Loading(driver, database, numbers)
        for piece in pieces:
            for line in stream.lines(piece):
                await loading.take(line)
            loading.bytes += len(piece)
        stream.finish()
        await loading.finish()
    return stream.counts


async def _require_empty(driver: Neo4jDriver, database: str, besides: str | None) -> None:
    """Raises TaskError. The two lookup indexes that each new database has may be there."""
    others = "" if besides is None else f" WHERE NOT n:{quoted(besides)}"
    if (await driver.change(database, f"MATCH (n){others} RETURN 1 LIMIT 1", {}, 60.0)) or (
        await driver.rows(database, "SHOW CONSTRAINTS YIELD name RETURN name LIMIT 1", 60.0)
    ):
        raise TaskError(f"the database {database} is not empty: an export is loaded into an empty one only")
    rows = await driver.rows(database, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name", 60.0)
    if rows:
        raise TaskError(f"the database {database} has indexes: an export is loaded into an empty one only")


class _Map:
    """From an export's numbers to those of the new nodes: in a file, so that memory stays flat."""

    _SLOT = struct.Struct("<q")
    _STEP = 8 * 1024**2

    def __init__(self, scratch: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - closed by __exit__
        self._file.truncate(self._STEP)
        self._map = mmap.mmap(self._file.fileno(), self._STEP)

    def put(self, number: int, new: int) -> None:
        end = (number + 1) * self._SLOT.size
        if end > len(self._map):
            self._map.resize(-(-max(end, len(self._map) * 5 // 4) // self._STEP) * self._STEP)
        self._SLOT.pack_into(self._map, number * self._SLOT.size, new)

    def get(self, number: int) -> int:
        return int(self._SLOT.unpack_from(self._map, number * self._SLOT.size)[0])

    def __enter__(self) -> "_Map":
        return self

    def __exit__(self, *_: object) -> None:
        self._map.close()
        self._file.close()


class _Loading:
    def __init__(self, driver: Neo4jDriver, database: str, numbers: _Map) -> None:
        self.bytes = 0
        self._driver = driver
        self._database = database
        self._numbers = numbers
        self._prefix = ""
        self._groups: dict[_Group, list[dict[str, Any]]] = {}
        self._rows = 0
        self._at = 0
        self._schema: list[Schema] = []

    async def take(self, line: Line) -> None:
        key: _Group
        match line:
            case Node():
                key = (Node, tuple(line.labels), _signature(line.in_time))
                row = {"i": line.number, "p": _values(line.properties), "t": _texts(line.in_time)}
            case Relationship():
                if self._groups and next(iter(self._groups))[0] is Node:
                    await self._flush()
                key = (Relationship, line.type, _signature(line.in_time))
                row = {"a": line.start, "b": line.end, "p": _values(line.properties), "t": _texts(line.in_time)}
            case Schema():
                self._schema.append(line)
                return
            case _:
                return
        self._groups.setdefault(key, []).append(row)
        self._rows += 1
        if self._rows >= _ROWS or self.bytes - self._at > _BYTES:
            await self._flush()

    async def finish(self) -> None:
        await self._flush()
        await self._make_schema()

    async def _flush(self) -> None:
        groups, self._groups, self._rows, self._at = self._groups, {}, 0, self.bytes
        for (kind, what, signature), rows in groups.items():
            if kind is Node:
                await self._nodes(what, signature, rows)
            else:
                await self._relationships(what, signature, rows)

    async def _nodes(self, labels: Sequence[str], signature: "_Signature", rows: list[dict[str, Any]]) -> None:
        named = "".join(f":{quoted(label)}" for label in labels)
        query = (
            f"UNWIND $rows AS row CREATE (n{named}) SET n = row.p{_sets('n', signature)} "
            "RETURN row.i AS i, elementId(n) AS id"
        )
        for made in await self._driver.change(self._database, query, {"rows": rows}, _SECONDS):
            self._prefix, _, new = made["id"].rpartition(":")
            self._numbers.put(made["i"], int(new))

    async def _relationships(self, type_: str, signature: "_Signature", rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for end in ("a", "b"):
                row[end] = f"{self._prefix}:{self._numbers.get(row[end])}"
        query = (
            "UNWIND $rows AS row MATCH (a) WHERE elementId(a) = row.a MATCH (b) WHERE elementId(b) = row.b "
            f"CREATE (a)-[r:{quoted(type_)}]->(b) SET r = row.p{_sets('r', signature)} RETURN count(r) AS made"
        )
        (made,) = await self._driver.change(self._database, query, {"rows": rows}, _SECONDS)
        if made["made"] != len(rows):
            raise TaskError(f"{made['made']} relationships of {len(rows)} were made: nodes were removed meanwhile")

    async def _make_schema(self) -> None:
        for each in self._schema:
            if not _CREATES.match(each.statement):
                raise TaskError(f"the export's statement of {each.name} creates no index and no constraint")
        there = await self._driver.rows(self._database, _LOOKUPS, 60.0)
        wanted = {_lookup(each.statement): each for each in self._schema if each.kind == "lookup"}
        for row in there:
            if wanted.pop(_lookup(row["createStatement"]), None) is None:
                await self._run(f"DROP INDEX {quoted(row['name'])}")
        for each in (*wanted.values(), *(one for one in self._schema if one.kind != "lookup")):
            await self._run(each.statement)
        await self._run(f"CALL db.awaitIndexes({int(_SECONDS)})")

    async def _run(self, statement: str) -> None:
        await self._driver.change(self._database, statement, {}, _SECONDS)


_Signature = tuple[tuple[str, str, bool], ...]
"""Name and type of each property that is a point in time, and whether it is a list of them."""


def _signature(in_time: InTime) -> _Signature:
    return tuple((key, kind, isinstance(text, list)) for key, (kind, text) in sorted(in_time.items()))


def _texts(in_time: InTime) -> list[Any]:
    return [text for _, (_, text) in sorted(in_time.items())]


def _values(properties: Any) -> dict[str, Any]:
    return {key: decoded(value) for key, value in properties.items()}


def _sets(name: str, signature: _Signature) -> str:
    """What sets those properties from their texts."""
    found = []
    for index, (key, kind, is_list) in enumerate(signature):
        if kind not in IN_TIME:
            raise TaskError(f"the export has a property of the type {kind!r}, which this Upkeeper does not know")
        text = f"row.t[{index}]"
        value = f"[x IN {text} | {IN_TIME[kind]}(x)]" if is_list else f"{IN_TIME[kind]}({text})"
        found.append(f" SET {name}.{quoted(key)} = {value}")
    return "".join(found)


def _lookup(statement: str) -> str:
    """What a lookup index is of, without its name, which each database gives anew: `` FOR (n) ON EACH labels(n)``."""
    return statement[statement.index(" FOR ") :] if " FOR " in statement else statement


def quoted(name: str) -> str:
    """A name as Cypher wants it."""
    return "`" + name.replace("`", "``") + "`"
