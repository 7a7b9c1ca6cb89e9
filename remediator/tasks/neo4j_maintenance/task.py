"""neo4j-maintenance and neo4j-index-rebuild, on the servers of ``neo4j:``."""

import asyncio
from collections.abc import Callable, Sequence
from typing import LiteralString

from exporter.base.text import counted
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j.driver import Neo4jDriver, Neo4jRefused
from remediator.config.config import Config
from remediator.model.task import (
    NO_PARAMS,
    Action,
    Effect,
    Measurement,
    Parameters,
    Params,
    Plan,
    Row,
    Task,
    TaskError,
)
from remediator.servers.neo4j import Neo4jDoor
from remediator.tasks.neo4j_maintenance.facts import NEO4J_INDEX_REBUILD, NEO4J_MAINTENANCE
from remediator.tasks.neo4j_maintenance.server import REPLAN, RESAMPLE, WARM_UP, Found, Index, indexes, look
from remediator.tasks.resources import Resources

ACTION_SECONDS = 900.0
"""For one action: populating an index or reading a large store into the cache takes its time."""
_LOOK_AGAIN = 0.5

_CALLS: dict[str, LiteralString] = {
    "resample": f"CALL {RESAMPLE}()",
    "replan": f"CALL {REPLAN}(600)",
    "warm-up": f"CALL {WARM_UP}() YIELD nodesTotal, relsTotal",
}
_WANTED: dict[str, str] = {"resample": RESAMPLE, "replan": REPLAN, "warm-up": WARM_UP}
_REASONS = {
    "resample": "statistics of indexes that have changed much are taken anew",
    "replan": "queries are planned anew with these statistics",
    "warm-up": "nodes and relationships are read into the page cache",
}
_SANDBOXED = "sandbox"
"""In the server's words about a procedure that it lists as executable, and then does not execute."""
_UNRESTRICT = f"the server does not let it run: dbms.security.procedures.unrestricted must name {WARM_UP}"

Door = Callable[[Neo4jServer], Neo4jDoor]


class IndexRow(Row):
    """An index that is not online."""

    database: str
    index: str
    state: str
    belongs_to: str | None
    """The constraint that it is part of."""
    failure: str
    create: str


class WarmUp(Parameters):
    """Of neo4j-maintenance."""

    warm_up: bool = True
    """Reads nodes and relationships into the page cache, where APOC can. Not for stores much larger than the cache."""


class _OnServers:
    """What both tasks share."""

    action_timeout = ACTION_SECONDS + 60.0

    def __init__(self, servers: Sequence[Neo4jServer], door: Door) -> None:
        self._servers = {server.name: server for server in servers}
        self._door = door

    async def targets(self) -> Sequence[str]:
        return list(self._servers)

    def _open(self, target: str) -> Neo4jDoor:
        server = self._servers.get(target)
        if server is None:
            raise TaskError(f"no server in neo4j: has the name {target}")
        return self._door(server)

    async def _look(self, target: str) -> Found:
        door = self._open(target)
        async with door.driver() as driver:
            return await look(driver, door.server.databases)


class Neo4jMaintenance(_OnServers):
    """Calls procedures that change no data."""

    facts = NEO4J_MAINTENANCE
    parameters = WarmUp

    async def measure(self, target: str) -> Measurement:
        """Values: ``indexes``, ``indexes_populating``, ``indexes_failed``, ``databases_offline``."""
        return measured(await self._look(target), breached=False)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return maintenance_plan(await self._look(target), warm_up=WarmUp.model_validate(params).warm_up)

    async def apply(self, target: str, action: Action) -> Effect:
        database = str(action.params["database"])
        async with self._open(target).driver() as driver:
            if action.kind == "await":
                return await _wait(driver, database)
            query = _CALLS.get(action.kind)
            if query is None:
                raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
            try:
                rows = await driver.rows(database, query, ACTION_SECONDS)
            except Neo4jRefused as error:
                if _SANDBOXED not in str(error):
                    raise
                return Effect(state="skipped", detail=_UNRESTRICT)
        if action.kind == "warm-up" and rows:
            told = f"{counted(rows[0]['nodesTotal'], 'node')}, {counted(rows[0]['relsTotal'], 'relationship')}"
            return Effect(state="done", detail=told)
        return Effect(state="done")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer indexes are being populated. What sampling and planning gain, the server does not tell."""
        return after.values["indexes_populating"] < before.values["indexes_populating"]


class Neo4jIndexRebuild(_OnServers):
    """Drops and creates what has failed."""

    facts = NEO4J_INDEX_REBUILD
    parameters = Parameters

    async def measure(self, target: str) -> Measurement:
        """Values as those of neo4j-maintenance. Breached while an index has failed."""
        found = await self._look(target)
        return measured(found, breached=any(index.state == "failed" for _, index in _each(found)))

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return rebuild_plan(await self._look(target))

    async def apply(self, target: str, action: Action) -> Effect:
        """In one transaction, so that there is an index of that name. Raises TaskError if it fails anew."""
        database, name = str(action.params["database"]), str(action.params["index"])
        async with self._open(target).driver() as driver:
            before = _named(await indexes(driver, database), name)
            if before is None or before.create != action.params["create"]:
                return Effect(state="skipped", detail="the index is gone or was changed")
            if before.state != "failed" or before.constraint is not None:
                return Effect(state="skipped", detail=f"it is {before.state} now")
            await driver.write(database, [f"DROP INDEX {quoted(name)}", before.create], ACTION_SECONDS)
            effect = await _wait(driver, database, name)
            after = _named(await indexes(driver, database), name)
        if after is not None and after.state == "failed":
            raise TaskError(f"{name} failed again: {after.failure}")
        return effect

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer indexes have failed."""
        return after.values["indexes_failed"] < before.values["indexes_failed"]


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [Neo4jMaintenance(config.neo4j, resources.neo4j), Neo4jIndexRebuild(config.neo4j, resources.neo4j)]


async def _wait(driver: Neo4jDriver, database: str, name: str | None = None) -> Effect:
    """Until no index is being populated, or not this one. db.awaitIndexes gives up as soon as any has failed."""
    loop = asyncio.get_running_loop()
    end = loop.time() + ACTION_SECONDS
    while True:
        busy = [
            index.name
            for index in await indexes(driver, database)
            if index.state == "populating" and name in (None, index.name)
        ]
        if not busy:
            return Effect(state="done", detail="online" if name else "no index is being populated")
        if loop.time() >= end:
            raise TaskError(f"{', '.join(busy)} of {database} still being populated after {ACTION_SECONDS / 60:g} min")
        await asyncio.sleep(_LOOK_AGAIN)


def measured(found: Found, *, breached: bool) -> Measurement:
    """How the indexes are. Pure."""
    states = [index.state for _, index in _each(found)]
    values = {
        "indexes": len(states),
        "indexes_populating": states.count("populating"),
        "indexes_failed": states.count("failed"),
        "databases_offline": len(found.offline),
    }
    detail = counted(len(states), "index", "indexes")
    for state in ("populating", "failed"):
        if state in states:
            detail += f", {states.count(state)} {state}"
    return Measurement(breached=breached, values=values, detail=detail)


def maintenance_plan(found: Found, *, warm_up: bool) -> Plan:
    """What the server has procedures for, on each database. Pure."""
    actions = []
    for database, ones in found.indexes.items():
        kinds = ["resample", "replan", *(["warm-up"] if warm_up else [])]
        for kind in kinds:
            if kind == "replan" and any(index.state == "populating" for index in ones):
                actions.append(_action("await", database, "indexes are being populated"))
            if _WANTED[kind] in found.procedures:
                actions.append(_action(kind, database, _REASONS[kind]))
    cypher = f", Cypher {' and '.join(found.cypher)}" if found.cypher else ""
    have = [name for name in _WANTED.values() if name in found.procedures]
    lacks = [name for name in _WANTED.values() if name not in found.procedures]
    notes = [f"Neo4j {found.version}{cypher} has {_listed(have)}{f', and not {_listed(lacks)}' if lacks else ''}."]
    failed = [f"{index.name} of {database}" for database, index in _each(found) if index.state == "failed"]
    if failed:
        notes.append(f"Failed, which {NEO4J_INDEX_REBUILD.name} can build anew: {', '.join(failed)}.")
    notes += [f"The database {name} is not online." for name in found.offline]
    return Plan(actions=actions, rows=_rows(found), notes=notes)


def rebuild_plan(found: Found) -> Plan:
    """Each index that has failed and stands by itself. Pure."""
    failed = [(database, index) for database, index in _each(found) if index.state == "failed"]
    return Plan(
        actions=[
            Action(
                kind="rebuild-index",
                object=f"{database}: {index.name}",
                reason=f"it has failed: {index.failure}" if index.failure else "it has failed",
                params={"database": database, "index": index.name, "create": index.create},
            )
            for database, index in failed
            if index.constraint is None
        ],
        rows=_rows(found),
        notes=[
            f"{index.name} of {database} belongs to the constraint {index.constraint}: drop and create that one."
            for database, index in failed
            if index.constraint is not None
        ],
    )


def _action(kind: str, database: str, reason: str) -> Action:
    return Action(kind=kind, object=database, reason=reason, params={"database": database})


def _rows(found: Found) -> list[IndexRow]:
    return [
        IndexRow(
            database=database, index=index.name, state=index.state, belongs_to=index.constraint,
            failure=index.failure, create=index.create,
        )
        for database, index in _each(found)
        if index.state != "online"
    ]  # fmt: skip


def _each(found: Found) -> list[tuple[str, Index]]:
    return [(database, index) for database, ones in found.indexes.items() for index in ones]


def _named(found: Sequence[Index], name: str) -> Index | None:
    return next((index for index in found if index.name == name), None)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none of the procedures"


def quoted(name: str) -> str:
    """A name as Cypher takes it."""
    return "`" + name.replace("`", "``") + "`"
