"""postgres-collation-refresh: rebuilds what depends on a collation, and then records its version."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from exporter.base.text import counted
from exporter.base.threads import KeyedThreads
from exporter.base.units import format_bytes
from exporter.inventory.postgres import PostgresServer
from exporter.postgres import queries
from exporter.postgres.session import Session
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Row, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_debts import collations as catalog
from remediator.tasks.postgres_debts.collations import Collation, Depends, Mismatched, Rebuilt, is_rebuilt, outstanding
from remediator.tasks.postgres_debts.databases import IN_RECOVERY, chosen, databases_of, look_into
from remediator.tasks.postgres_debts.facts import POSTGRES_COLLATION_REFRESH
from remediator.tasks.postgres_debts.rebuilt import RebuiltNote
from remediator.tasks.postgres_maintenance.index_work import REBUILD_PATIENCE, IndexWork, short, why
from remediator.tasks.postgres_maintenance.indexes import Index, Space, indexes, why_not_rebuilt
from remediator.tasks.postgres_maintenance.look import Statvfs
from remediator.tasks.postgres_maintenance.statement import carry_out
from remediator.tasks.worker import in_thread

if TYPE_CHECKING:
    from psycopg import sql

REBUILD, REFRESH = "rebuild-index", "record-version"


class CollationRow(Row):
    """An index that depends on a collation of another version."""

    database: str
    index: str
    table: str
    bytes: int
    collations: str
    state: str
    """``to rebuild``, ``rebuilt``, or why it cannot be."""


class Refreshing(Parameters):
    """What a person knows and no catalog says."""

    partitions_checked: bool = False
    """The rows of tables that are divided by the order of texts are in the partitions where they belong now."""


@dataclass
class Found:
    """Of a server."""

    standby: bool = False
    databases: list[Mismatched] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)
    """Why databases could not be looked into, by name."""


class CollationRefresh:
    """note: where it is noted which indexes of a server were rebuilt. Others as in PostgresMaintenance."""

    facts = POSTGRES_COLLATION_REFRESH
    parameters = Refreshing

    def __init__(
        self,
        servers: Sequence[PostgresServer],
        door: Callable[[PostgresServer], PostgresDoor],
        note: Callable[[str], RebuiltNote],
        statvfs: Statvfs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._servers = {server.name: server for server in servers}
        self._door, self._note, self._statvfs, self._clock = door, note, statvfs, clock
        self._threads = KeyedThreads()
        self.action_timeout = max((server.maintenance.statement_timeout for server in servers), default=0.0) + 120.0

    async def targets(self) -> Sequence[str]:
        return list(self._servers)

    async def measure(self, target: str) -> Measurement:
        """Values: ``collations`` of another version, ``indexes`` that are still to be rebuilt for them."""
        found, rebuilt = await self._look(target), await in_thread(lambda _: self._note(target).read())
        differing = sum(len(one.collations) for one in found.databases)
        waiting = sum(len(outstanding(one, rebuilt)) for one in found.databases)
        return Measurement(
            breached=differing > 0,
            values={"collations": differing, "indexes": waiting},
            detail=f"{counted(differing, 'collation')} of another version, {counted(waiting, 'index', 'indexes')} "
            "to be rebuilt",
        )

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        asked = Refreshing.model_validate(dict(params))
        found, rebuilt = await self._look(target), await in_thread(lambda _: self._note(target).read())
        space = await self._space(target) if found.databases else None
        until = self._clock() + self._server(target).maintenance.time_budget
        return make_plan(found, rebuilt, space, until, partitions_checked=asked.partitions_checked)

    async def apply(self, target: str, action: Action) -> Effect:
        if action.kind not in (REBUILD, REFRESH):
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        server, params = self._server(target), action.params
        policy, dbname = server.maintenance, str(params["database"])
        seconds = min(policy.statement_timeout, float(str(params["until"])) - self._clock())
        if action.kind == REBUILD and seconds < 1:
            return Effect(state="skipped", detail=f"the run's time_budget of {short(policy.time_budget)} is used up")
        door, note = self._door(server), self._note(target)
        patience = policy.lock_timeout * (REBUILD_PATIENCE if action.kind == REBUILD else 1)
        async with door.looking(dbname) as watcher:
            if (await watcher.rows(IN_RECOVERY))[0][0]:
                return Effect(state="skipped", detail="the server is a standby now")
            found = await mismatched(watcher)
            rebuilt = await in_thread(lambda _: note.read())
            async with door.working(dbname, seconds=max(1.0, seconds), lock_seconds=patience) as worker:
                work = IndexWork(worker, watcher, policy.lock_timeout, max(1.0, seconds))
                if action.kind == REBUILD:
                    return await self._rebuild(target, work, found, rebuilt, action)
                return await self._record(target, work, found, rebuilt, action)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer collations differ, or fewer indexes depend on one that does."""
        return any(after.values[name] < before.values[name] for name in before.values)

    async def _rebuild(
        self, target: str, work: IndexWork, found: Mismatched, rebuilt: Rebuilt, action: Action
    ) -> Effect:
        oid, label = int(str(action.params["oid"])), str(action.params["name"])
        one = next((each for each in outstanding(found, rebuilt) if each.index.oid == oid), None)
        if one is None or one.index.label != label:
            return Effect(state="skipped", detail="it was rebuilt, or is gone")
        problem = why_not_rebuilt(one.index, await self._space(target))
        if problem:
            raise TaskError(f"{label} is not rebuilt: {problem}")
        versions = {key: version for key, version in found.actual().items() if key in one.collations}
        effect, again = await work.renew(one.index)
        files = {oid: file for oid, _, file in await work.watcher.rows(catalog.DEPENDING, sorted(versions))}
        if again.oid in files:
            add = partial(self._note(target).add, found.identity, again.oid, files[again.oid], versions)
            await in_thread(lambda _: add())
        return effect

    async def _record(
        self, target: str, work: IndexWork, found: Mismatched, rebuilt: Rebuilt, action: Action
    ) -> Effect:
        oid = int(str(action.params["oid"]))
        collation = next((each for each in found.collations if each.oid == oid), None)
        if collation is None:
            return Effect(state="skipped", detail="its version is recorded")
        if collation.actual != action.params["actual"]:
            raise TaskError(
                f"{found.dbname}: {collation.label} has the version {collation.actual} now, and not "
                f"{action.params['actual']} as planned; plan again"
            )
        left = outstanding(found, rebuilt, collation)
        if left:
            raise TaskError(
                f"{found.dbname}: the version of {collation.label} is not recorded, as "
                f"{counted(len(left), 'index is', 'indexes are')} not rebuilt yet, such as {left[0].index.label}"
            )
        course = await carry_out(work.worker, work.watcher, statement(found.dbname, collation), patience=work.patience)
        after = await mismatched(work.watcher)
        if any(each.oid == oid for each in after.collations):
            if course.refused or course.gave_way:
                raise why(course, collation.label, work.seconds)
            raise TaskError(f"{found.dbname}: {collation.label} still has the version {collation.recorded}")
        if not after.collations:
            await in_thread(lambda _: self._note(target).forget(found.identity))
        return Effect(state="done", detail=f"{collation.recorded} -> {collation.actual}")

    async def _look(self, target: str) -> Found:
        server = self._server(target)
        door = self._door(server)
        async with door.looking(server.dbname) as session:
            if (await session.rows(IN_RECOVERY))[0][0]:
                return Found(standby=True)
            differing: list[str] = []
            if session.version_number >= catalog.VERSIONS_OF_DATABASES:
                differing = [name for name, differs in await session.rows(queries.DEFAULT_COLLATIONS) if differs]
            names = chosen(server, await databases_of(server, session), differing)
        looked, closed = await look_into(door, names, mismatched)
        return Found(databases=[one for one in looked.values() if one.collations], closed=closed)

    async def _space(self, target: str) -> Space | None:
        directory = self._server(target).maintenance.data_directory
        if directory is None:
            return None
        try:
            return await self._threads.run(("space", directory), partial(self._statvfs, directory))
        except OSError as error:
            raise TaskError(f"maintenance.data_directory of {target}: {error.strerror}") from error

    def _server(self, target: str) -> PostgresServer:
        server = self._servers.get(target)
        if server is None:
            raise TaskError(f"no server in postgres: has the name {target}")
        return server


async def mismatched(session: Session) -> Mismatched:
    """What the database of the session has. Raises PostgresUnavailable and QueryRefused."""
    differing = [Collation(*row) for row in await session.rows(catalog.OF_COLLATIONS)]
    if session.version_number >= catalog.VERSIONS_OF_DATABASES:
        recorded, actual, owned = (await session.rows(catalog.OF_DATABASE))[0]
        if recorded is not None and actual is not None and recorded != actual:
            differing.append(Collation(catalog.DEFAULT, "pg_catalog", "default", recorded, actual, owned))
    if not differing:
        return Mismatched(session.dbname, "", [])
    oids = [each.oid for each in differing]
    on: dict[int, set[int]] = {}
    files: dict[int, int] = {}
    for index, collation, file in await session.rows(catalog.DEPENDING, oids):
        on.setdefault(index, set()).add(collation)
        files[index] = file
    query = indexes(session.version_number, view=False, one="these")
    found = [Index(*row) for row in await session.rows(query, list(on))] if on else []
    by_range: dict[int, list[str]] = {}
    for table, collation in await session.rows(catalog.BY_RANGE, oids):
        by_range.setdefault(collation, []).append(table)
    system, database = (await session.rows(catalog.IDENTITY))[0]
    depending = [Depends(index, files[index.oid], frozenset(on[index.oid])) for index in found]
    return Mismatched(session.dbname, f"{system}/{database}", differing, depending, by_range)


def statement(dbname: str, collation: Collation) -> "sql.Composed":
    """What records the version of now."""
    from psycopg import sql

    if collation.is_default:
        return sql.SQL("ALTER DATABASE {} REFRESH COLLATION VERSION").format(sql.Identifier(dbname))
    return sql.SQL("ALTER COLLATION {} REFRESH VERSION").format(sql.Identifier(collation.schema, collation.name))


def make_plan(found: Found, rebuilt: Rebuilt, space: Space | None, until: float, *, partitions_checked: bool) -> Plan:
    """The rebuilds of each database, then its versions. Pure. until: Unix seconds from which on none is begun."""
    if found.standby:
        return Plan(notes=["The server is a standby: what is done on its primary reaches it by itself."])
    actions: list[Action] = []
    rows: list[CollationRow] = []
    notes: list[str] = []
    for one in found.databases:
        stuck: set[int] = set()
        for each in one.depending:
            wanted = [key for key in one.collations if key.oid in each.collations]
            problem = why_not_rebuilt(each.index, space)
            state = "rebuilt"
            if not all(is_rebuilt(one, each, rebuilt, key) for key in wanted):
                state = problem or "to rebuild"
                if problem:
                    stuck |= each.collations
                    notes.append(f"{one.dbname}: {each.index.label} is not rebuilt: {problem}.")
                else:
                    actions.append(_rebuild_action(one, each, wanted, until))
            rows.append(_row(one, each, wanted, state))
        for collation in one.collations:
            note = _why_not_recorded(one, collation, stuck, partitions_checked=partitions_checked)
            if note:
                notes.append(f"{one.dbname}: {note}")
            else:
                actions.append(_record_action(one, collation, until))
    notes += [f"{name} could not be looked into: {reason}." for name, reason in found.closed.items()]
    return Plan(actions=actions, rows=rows, notes=notes)


def _why_not_recorded(one: Mismatched, collation: Collation, stuck: set[int], *, partitions_checked: bool) -> str:
    """A sentence; empty where its version can be recorded once all is rebuilt."""
    if collation.oid in stuck:
        return f"the version of {collation.label} is not recorded before all that depends on it is rebuilt."
    divided = (one.by_range or {}).get(collation.oid, ())
    if divided and not partitions_checked:
        return (
            f"the version of {collation.label} is not recorded, as rows of {', '.join(divided)} may lie in the wrong "
            "partition, which no rebuild mends: look, and then run it with partitions_checked=true."
        )
    if not collation.owned:
        of = f'DATABASE "{one.dbname}" REFRESH COLLATION' if collation.is_default else (
            f'COLLATION {collation.schema}."{collation.name}" REFRESH'
        )  # fmt: skip
        return (
            f"the role may not record the version of {collation.label}; once all is rebuilt, its owner or a superuser "
            f"can: ALTER {of} VERSION;"
        )
    return ""


def _rebuild_action(one: Mismatched, each: Depends, wanted: Sequence[Collation], until: float) -> Action:
    index = each.index
    versions = ", ".join(f"{key.label} from {key.recorded} to {key.actual}" for key in wanted)
    return Action(
        kind=REBUILD,
        object=f"{one.dbname}: {index.label}",
        reason=f"{versions}; {format_bytes(index.bytes)}",
        params={"database": one.dbname, "oid": index.oid, "name": index.label, "until": until},
        identity=f"{one.dbname} {index.oid} {index.label}",
    )


def _record_action(one: Mismatched, collation: Collation, until: float) -> Action:
    return Action(
        kind=REFRESH,
        object=f"{one.dbname}: {collation.label}",
        reason=f"{collation.recorded} -> {collation.actual}, once all that depends on it is rebuilt",
        params={"database": one.dbname, "oid": collation.oid, "actual": collation.actual, "until": until},
        identity=f"{one.dbname} {collation.oid} {collation.recorded} {collation.actual}",
    )


def _row(one: Mismatched, each: Depends, wanted: Sequence[Collation], state: str) -> CollationRow:
    return CollationRow(
        database=one.dbname,
        index=each.index.label,
        table=each.index.table,
        bytes=each.index.bytes,
        collations=", ".join(key.label for key in wanted),
        state=state,
    )
