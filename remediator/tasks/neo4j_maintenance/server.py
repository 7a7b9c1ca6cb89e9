"""What a Neo4j server says of its databases, indexes and procedures. The same queries for 5.x and calendar versions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from exporter.neo4j.driver import Neo4jDriver
from exporter.neo4j.objects import parse_databases

LOOK_SECONDS = 60.0
"""A server that has just started takes seconds for its first answers, and a query that is cut off begins anew."""

SYSTEM = "system"

RESAMPLE: LiteralString = "db.resampleOutdatedIndexes"
REPLAN: LiteralString = "db.prepareForReplanning"
WARM_UP: LiteralString = "apoc.warmup.run"
PROCEDURES = (RESAMPLE, REPLAN, WARM_UP)

_COMPONENTS: LiteralString = "CALL dbms.components() YIELD name, versions, edition"
_DATABASES: LiteralString = "SHOW DATABASES YIELD name, type, requestedStatus, currentStatus"
_PROCEDURES: LiteralString = "SHOW PROCEDURES EXECUTABLE YIELD name"
_INDEXES: LiteralString = (
    "SHOW INDEXES YIELD name, type, state, populationPercent, owningConstraint, createStatement, failureMessage"
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index as the server tells of it."""

    name: str
    state: str
    """``online``, ``populating`` or ``failed``, or what else the server says, in lower case."""
    create: str
    """The statement that makes it again."""
    constraint: str | None = None
    """The constraint that it belongs to."""
    failure: str = ""
    """The first line of why it failed."""


@dataclass(frozen=True, slots=True)
class Found:
    """Of one server."""

    version: str
    cypher: Sequence[str]
    """Versions of Cypher; empty where the server does not tell."""
    procedures: Collection[str]
    """Those of PROCEDURES that there are and that the user may call."""
    indexes: Mapping[str, Sequence[Index]] = field(default_factory=dict)
    """By database, of those that are online."""
    offline: Sequence[str] = ()


async def look(driver: Neo4jDriver, wanted: Collection[str] | None) -> Found:
    """Asks a server. wanted: names of databases; None for all. Raises Neo4jUnavailable and Neo4jRefused."""
    versions: dict[str, Sequence[str]] = {}
    for row in await driver.rows(SYSTEM, _COMPONENTS, LOOK_SECONDS):
        versions[row["name"]] = row["versions"]
    known = {row["name"] for row in await driver.rows(SYSTEM, _PROCEDURES, LOOK_SECONDS)}
    databases = [
        database
        for database in parse_databases(await driver.rows(SYSTEM, _DATABASES, LOOK_SECONDS))
        if database.kind == "standard" and (wanted is None or database.name in wanted)
    ]
    return Found(
        version=next(iter(versions.get("Neo4j Kernel", ())), "unknown"),
        cypher=versions.get("Cypher", ()),
        procedures={name for name in PROCEDURES if name in known},
        indexes={each.name: await indexes(driver, each.name) for each in databases if each.online},
        offline=[each.name for each in databases if not each.online and each.requested_online],
    )


async def indexes(driver: Neo4jDriver, database: str) -> list[Index]:
    """The indexes of a database. Raises Neo4jUnavailable and Neo4jRefused."""
    return [
        Index(
            name=row["name"],
            state=row["state"].lower(),
            create=row["createStatement"],
            constraint=row["owningConstraint"],
            failure=next(iter((row["failureMessage"] or "").splitlines()), ""),
        )
        for row in await driver.rows(database, _INDEXES, LOOK_SECONDS)
    ]
