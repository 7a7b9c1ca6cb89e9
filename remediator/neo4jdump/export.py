"""Exports a database of a running server: all that is in it, in one read transaction, with flat memory.

A read transaction of Neo4j sees what others commit meanwhile ("read committed"), so one transaction is no snapshot.
That nothing was committed is seen by the bookmarks of a transaction before and one after: they name the last commit.
https://neo4j.com/docs/operations-manual/current/database-internals/concurrent-data-access/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from exporter.neo4j.driver import Neo4jDriver, Reading
from remediator.model.task import TaskError
from remediator.neo4jdump.lines import Counts, Header, Line, Node, Numbers, Relationship, Schema, render, render_end
from remediator.neo4jdump.values import IN_TIME, ValueUnknown, encoded

_IN_TIME_OF: LiteralString = (
    "[k IN keys({}) WHERE valueType({}[k]) CONTAINS 'TIME' OR valueType({}[k]) CONTAINS 'DATE' | [k, valueType({}[k]), "
    "CASE WHEN valueType({}[k]) STARTS WITH 'LIST' THEN [x IN {}[k] | toString(x)] ELSE toString({}[k]) END]]"
)
_NODES: LiteralString = (
    "MATCH (n) RETURN elementId(n) AS id, labels(n) AS labels, properties(n) AS properties, "
    + _IN_TIME_OF.replace("{}", "n")
    + " AS times"
)
_RELATIONSHIPS: LiteralString = (
    "MATCH (a)-[r]->(b) RETURN elementId(a) AS a, elementId(b) AS b, type(r) AS type, properties(r) AS properties, "
    + _IN_TIME_OF.replace("{}", "r")
    + " AS times"
)
_INDEXES: LiteralString = (
    "SHOW INDEXES YIELD name, type, owningConstraint, createStatement WHERE owningConstraint IS NULL "
    "RETURN name, type, createStatement ORDER BY name"
)
_CONSTRAINTS: LiteralString = (
    "SHOW CONSTRAINTS YIELD name, createStatement RETURN name, 'CONSTRAINT' AS type, createStatement ORDER BY name"
)
_DAY = 86400.0
_PIECE = 256 * 1024


@dataclass(frozen=True)
class Exported:
    """What was written."""

    counts: Counts
    one_moment: bool
    """Nothing was committed while it was read."""
    left_out: int
    """Relationships of nodes that came to be after the nodes were read."""

    def facts(self) -> dict[str, Any]:
        return {**self.counts.facts(), "one_moment": self.one_moment, "relationships_left_out": self.left_out}


async def export(driver: Neo4jDriver, database: str, server_version: str, write: Callable[[bytes], None]) -> Exported:
    """Writes a database as lines, in pieces. Raises Neo4jUnavailable, Neo4jRefused, TaskError, and as write does."""
    before = await driver.bookmark(database)
    export_ = _Export(write)
    export_.put(Header(database, server_version))
    async with driver.reading(database, _DAY) as reading:
        await export_.nodes(reading)
        await export_.relationships(reading)
    for query, constraint in ((_INDEXES, False), (_CONSTRAINTS, True)):
        for row in await driver.rows(database, query, 60.0):
            kind = "constraint" if constraint else "lookup" if row["type"] == "LOOKUP" else "index"
            export_.put(Schema(kind, row["name"], row["createStatement"]))
    export_.end()
    after = await driver.bookmark(database)
    return Exported(export_.counts, before == after, export_.left_out)


class _Export:
    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.counts = Counts()
        self.left_out = 0
        self._write = write
        self._lines = bytearray()
        self._seen = Numbers()

    def put(self, line: Line) -> None:
        self.counts.add(line)
        self._lines += render(line)
        if len(self._lines) >= _PIECE:
            self._flush()

    def end(self) -> None:
        self._lines += render_end(self.counts)
        self._flush()

    def _flush(self) -> None:
        self._write(bytes(self._lines))
        self._lines.clear()

    async def nodes(self, reading: Reading) -> None:
        async for id_, labels, properties, times in reading.stream(_NODES):
            number = _number(id_)
            if not self._seen.add(number):
                continue  # its scan passed it twice, as where a node was removed and its place was taken by another
            kept, in_time = _properties(f"the node {id_}", properties, times)
            self.put(Node(number, sorted(labels), kept, in_time))

    async def relationships(self, reading: Reading) -> None:
        async for a, b, type_, properties, times in reading.stream(_RELATIONSHIPS):
            start, end = _number(a), _number(b)
            if start not in self._seen or end not in self._seen:
                self.left_out += 1
                continue
            kept, in_time = _properties(f"a relationship of the type {type_} of the node {a}", properties, times)
            self.put(Relationship(start, end, type_, kept, in_time))


def _number(element_id: str) -> int:
    """The number in an element id, such as ``4:2b0a...:17``."""
    return int(element_id.rpartition(":")[2])


def _properties(
    what: str, properties: Mapping[str, Any], times: list[list[Any]]
) -> tuple[dict[str, Any], dict[str, tuple[str, Any]]]:
    """Properties as they are kept: those that are no points in time, and those that are."""
    in_time: dict[str, tuple[str, Any]] = {key: (_type(said), text) for key, said, text in times}
    try:
        return {key: encoded(value) for key, value in properties.items() if key not in in_time}, in_time
    except ValueUnknown as error:
        raise TaskError(f"{what} cannot be exported: {error}") from None


def _type(said: str) -> str:
    """The type of a value, or of a list's elements, as valueType says it: ``LIST<DATE NOT NULL> NOT NULL``."""
    bare = said.removeprefix("LIST<").replace(" NOT NULL", "").removesuffix(">")
    if bare not in IN_TIME:
        raise TaskError(f"a property of the type {said} cannot be exported: this Upkeeper does not know it")
    return bare
