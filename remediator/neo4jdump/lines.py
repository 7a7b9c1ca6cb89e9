"""The lines of an export, in the order in which they are read: header, nodes, relationships, schema, end. Pure.

Each is a JSON list that begins with its kind. Nodes have numbers, which only the relationships after them refer to.
Its form for people: docs/how-to/backups.md.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.base.errors import UpkeeperError

VERSION = 1
_MOST_LINE = 1024**3
"""Bytes: Neo4j itself holds no larger property than 2 GiB; one node of this size is damage."""

InTime = Mapping[str, tuple[str, Any]]
"""Properties that are points in time: by name the type, and the server's text of it, or a list of texts."""


class ExportBroken(UpkeeperError):
    """It is no whole export. The message continues what it is called."""


@dataclass(frozen=True, slots=True)
class Header:
    database: str
    server_version: str


@dataclass(frozen=True, slots=True)
class Node:
    number: int
    labels: Sequence[str]
    properties: Mapping[str, Any]
    """As remediator.neo4jdump.values encodes them."""
    in_time: InTime


@dataclass(frozen=True, slots=True)
class Relationship:
    start: int
    end: int
    type: str
    properties: Mapping[str, Any]
    in_time: InTime


@dataclass(frozen=True, slots=True)
class Schema:
    """An index, or a constraint with the index that it owns, as the server's own statement."""

    kind: str
    """``index``, ``lookup`` or ``constraint``."""
    name: str
    statement: str


Line = Header | Node | Relationship | Schema


def render(line: Line) -> bytes:
    match line:
        case Header():
            fields: list[Any] = ["neo4j", VERSION, line.database, line.server_version]
        case Node():
            fields = ["n", line.number, list(line.labels), line.properties, *([line.in_time] if line.in_time else ())]
        case Relationship():
            fields = ["r", line.start, line.end, line.type, line.properties, *([line.in_time] if line.in_time else ())]
        case Schema():
            fields = ["s", line.kind, line.name, line.statement]
    return _line(fields)


def render_end(counts: "Counts") -> bytes:
    return _line(["end", counts.nodes, counts.relationships, counts.schema])


def _line(fields: Sequence[Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


class Numbers:
    """A set of node numbers, a bit each: they are dense, and there may be many."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> bool:
        """Whether it was not there yet."""
        at, bit = number >> 3, 1 << (number & 7)
        if at >= len(self._bits):
            self._bits.extend(bytes(max(at + 1 - len(self._bits), len(self._bits) // 4 + 64)))
        new = not self._bits[at] & bit
        self._bits[at] |= bit
        return new

    def __contains__(self, number: int) -> bool:
        at = number >> 3
        return at < len(self._bits) and bool(self._bits[at] & (1 << (number & 7)))


class Counts:
    """What an export holds. Two are equal if they counted the same."""

    def __init__(self) -> None:
        self.nodes = 0
        self.relationships = 0
        self.schema = 0
        self.labels: Counter[str] = Counter()
        self.types: Counter[str] = Counter()

    def add(self, line: Line) -> None:
        match line:
            case Node():
                self.nodes += 1
                self.labels.update(line.labels)
            case Relationship():
                self.relationships += 1
                self.types[line.type] += 1
            case Schema():
                self.schema += 1

    def facts(self) -> dict[str, Any]:
        """As they are in a manifest."""
        return {
            "nodes": self.nodes,
            "relationships": self.relationships,
            "schema": self.schema,
            "labels": dict(sorted(self.labels.items())),
            "types": dict(sorted(self.types.items())),
        }


class ExportStream:
    """Takes the bytes of an export in pieces, gives its lines, and checks that it is whole. counts: so far."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._rest = b""
        self._seen = Numbers()
        self._stage = 0
        self._ended = False

    def lines(self, data: bytes) -> Iterator[Line]:
        """Those that end in the next bytes. Raises ExportBroken."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            if len(self._rest) > _MOST_LINE:
                raise ExportBroken("has a line of unbelievable length")
            return
        text, self._rest = self._rest + whole, rest
        for each in text.split(b"\n"):
            line = self._parsed(each)
            if line is not None:
                self.counts.add(line)
                yield line

    def finish(self) -> None:
        """It ended here. Raises ExportBroken."""
        if self._rest or not self._ended:
            raise ExportBroken("ends early")

    def _parsed(self, text: bytes) -> Line | None:
        if self._ended:
            raise ExportBroken("goes on after its end")
        try:
            kind, *fields = json.loads(text.decode("utf-8", "surrogatepass"))
            return self._line(kind, fields)
        except ExportBroken:
            raise
        except (ValueError, TypeError, RecursionError):
            raise ExportBroken(f"has a damaged line after {self.counts.nodes + self.counts.relationships}") from None

    def _line(self, kind: str, fields: list[Any]) -> Line | None:
        self._in_order(kind)
        if kind == "neo4j":
            version, database, server = fields
            if version != VERSION:
                raise ExportBroken(f"has the version {version!r}, where this Upkeeper reads {VERSION}")
            return Header(database, server)
        if kind == "n":
            number, labels, properties, *in_time = fields
            if not self._seen.add(number):
                raise ExportBroken(f"has the node {number} twice")
            return Node(number, labels, dict(properties), dict(*in_time))
        if kind == "r":
            start, end, type_, properties, *in_time = fields
            if start not in self._seen or end not in self._seen:
                raise ExportBroken(f"has a relationship of a node that it lacks, {start} or {end}")
            return Relationship(start, end, type_, dict(properties), dict(*in_time))
        if kind == "s":
            return Schema(*fields)
        self._ended = True
        if fields != [self.counts.nodes, self.counts.relationships, self.counts.schema]:
            raise ExportBroken(f"ends with other counts than it has: {fields}")
        return None

    def _in_order(self, kind: str) -> None:
        stage = _ORDER.index(kind)
        if stage < self._stage or (stage > 0 and self._stage == 0 and not self._began) or (stage == 0 and self._began):
            raise ExportBroken(f"has a line {kind!r} where none belongs")
        self._stage = stage
        self._began = True

    _began = False


_ORDER = ("neo4j", "n", "r", "s", "end")
