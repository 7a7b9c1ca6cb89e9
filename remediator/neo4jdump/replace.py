"""Fills a database with an export, and compares; a mark in it tells, until all is right, that it is not whole.

Neo4j Community has one database, which has no other name to be loaded under and then renamed: so what is unfinished is
told by a node of a label of ours.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from exporter.base.text import counted
from exporter.neo4j.driver import Neo4jDriver
from remediator.model.task import TaskError
from remediator.neo4jdump.export import export
from remediator.neo4jdump.load import load, quoted

MARK = "Upkeeper restores this database"
_SECONDS = 3600.0
_AT_ONCE = 10_000
_STATE = f"MATCH (n:`{MARK}`) RETURN 1 LIMIT 1"
_KNOWN = "CALL db.labels() YIELD label WHERE label = $mark RETURN label"
_COUNTED = ("nodes", "relationships", "schema", "labels", "types")

State = Literal["empty", "unfinished", "filled"]


class NotLoaded(TaskError):
    """What was loaded is not what was backed up."""


async def state(driver: Neo4jDriver, database: str) -> State:
    """Whether anything is there, and if it is only what an interrupted restore has left. Raises UpkeeperError."""
    known = await driver.change(database, _KNOWN, {"mark": MARK}, 60.0)  # else the server warns of an unknown label
    if known and await driver.change(database, _STATE, {}, 60.0):
        return "unfinished"
    something: Sequence[Any] = (
        await driver.rows(database, "MATCH (n) RETURN 1 LIMIT 1", 60.0)
        or await driver.rows(database, "SHOW CONSTRAINTS YIELD name RETURN name LIMIT 1", 60.0)
        or await driver.rows(database, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name LIMIT 1", 60.0)
    )
    return "filled" if something else "empty"


async def fill(
    driver: Neo4jDriver,
    database: str,
    version: str,
    pieces: Iterable[bytes],
    wanted: Mapping[str, Any],
    scratch: Path,
    *,
    keep_mark: bool = False,
) -> str:
    """Loads an export in place of all that is in a database; what is there then, for people.

    wanted: what was counted at the backup; the database is read again, and compared. It is marked until that is right:
    where anything fails, the mark and what was loaded stay. version: of the server. scratch: a directory for a file of
    8 bytes a node. keep_mark: leave it, so that ``discard`` may remove all. Raises TaskError, ExportBroken,
    Neo4jUnavailable, Neo4jRefused.
    """
    if await state(driver, database) != "unfinished":
        await driver.change(database, f"CREATE (n:`{MARK}`)", {}, 60.0)
    await _empty(driver, database)
    schema = SchemaOf()
    await load(driver, database, schema.passing(pieces), scratch, besides=MARK)
    wrong = await _differences(driver, database, version, wanted, schema, marks=1)
    if wrong:
        raise NotLoaded(f"what was loaded is not what was backed up: {wrong[0]}")
    if not keep_mark:
        await driver.change(database, f"MATCH (n:`{MARK}`) DELETE n", {}, 60.0)
    nodes, relationships = counted(wanted["nodes"], "node"), counted(wanted["relationships"], "relationship")
    return f"{nodes}, {relationships}, {counted(schema.made, 'index or constraint', 'indexes and constraints')}"


async def differences(
    driver: Neo4jDriver, database: str, version: str, wanted: Mapping[str, Any], pieces: Iterable[bytes]
) -> list[str]:
    """What of a database is not as in an export; each for people. Raises as fill does."""
    schema = SchemaOf()
    for piece in pieces:
        schema.take(piece)
    return await _differences(driver, database, version, wanted, schema, marks=0)


async def discard(driver: Neo4jDriver, database: str) -> None:
    """Removes all of a database that is marked, the mark last; one without it is left alone. Raises UpkeeperError."""
    if await state(driver, database) != "unfinished":
        return
    await _empty(driver, database)
    await driver.change(database, f"MATCH (n:`{MARK}`) DELETE n", {}, 60.0)


async def _empty(driver: Neo4jDriver, database: str) -> None:
    """All but the mark, and the lookup indexes that every database has; relationships first: some nodes have many."""
    for what in ("()-[each]->()", f"(each) WHERE NOT each:`{MARK}`"):
        while (
            await driver.change(
                database, f"MATCH {what} WITH each LIMIT {_AT_ONCE} DELETE each RETURN count(*) AS gone", {}, _SECONDS
            )
        )[0]["gone"]:
            pass
    for row in await driver.rows(database, "SHOW CONSTRAINTS YIELD name RETURN name", 60.0):
        await driver.change(database, f"DROP CONSTRAINT {quoted(row['name'])} IF EXISTS", {}, _SECONDS)
    for row in await driver.rows(database, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name", 60.0):
        await driver.change(database, f"DROP INDEX {quoted(row['name'])} IF EXISTS", {}, _SECONDS)


async def _differences(
    driver: Neo4jDriver, database: str, version: str, wanted: Mapping[str, Any], schema: "SchemaOf", marks: int
) -> list[str]:
    """What of a database that was loaded is not as it was; each for people. It is read once more, all of it."""
    there = SchemaOf()
    facts = (await export(driver, database, version, there.take)).facts()
    facts["nodes"] -= marks
    facts["labels"] = {label: count for label, count in facts["labels"].items() if label != MARK}
    wrong = [
        f"{key} are {facts[key]}, where {wanted[key]} were backed up"[:300]
        for key in _COUNTED
        if key in wanted and facts[key] != wanted[key]
    ]
    wrong += [f"the {each} is missing" for each in sorted(schema.names - there.names)]
    wrong += [f"there is a {each} that was not there" for each in sorted(there.names - schema.names)]
    return wrong


class SchemaOf:
    """Reads along the lines of an export, for what its schema is. names: kind and name of each but lookup indexes,
    whose names each database gives anew.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.made = 0
        self._rest = b""

    def passing(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        for piece in pieces:
            self.take(piece)
            yield piece

    def take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b'["s"'):
                _, kind, name, *_ = json.loads(line.decode("utf-8", "surrogatepass"))
                self.made += 1
                if kind != "lookup":
                    self.names.add(f"{kind} {name}")
