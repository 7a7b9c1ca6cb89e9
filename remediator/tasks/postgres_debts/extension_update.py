"""postgres-extension-update: brings extensions to the version of the files that the server has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from exporter.base.text import counted
from exporter.inventory.postgres import PostgresServer
from exporter.postgres.session import QueryRefused, Session
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Row, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_debts.databases import IN_RECOVERY, chosen, databases_of, look_into
from remediator.tasks.postgres_debts.facts import POSTGRES_EXTENSION_UPDATE
from remediator.tasks.postgres_maintenance.index_work import why
from remediator.tasks.postgres_maintenance.statement import carry_out

if TYPE_CHECKING:
    from psycopg import sql

UPDATE = "update-extension"

_BEHIND = """
SELECT a.name::text, a.installed_version, a.default_version, pg_has_role(e.extowner, 'USAGE')
FROM pg_available_extensions AS a JOIN pg_extension AS e ON e.extname = a.name
WHERE a.installed_version <> a.default_version
ORDER BY 1
"""

_WAY = """
SELECT EXISTS (
    SELECT FROM pg_extension_update_paths(%s) WHERE source = %s AND target = %s AND path IS NOT NULL
)
"""

_INSTALLED = "SELECT extversion FROM pg_extension WHERE extname = %s"


class Extension(NamedTuple):
    """A row of _BEHIND."""

    name: str
    installed: str
    available: str
    owned: bool


class ExtensionRow(Row):
    """An extension that is behind its files."""

    database: str
    extension: str
    installed: str
    available: str


@dataclass
class Found:
    """Of a server."""

    standby: bool = False
    extensions: dict[str, list[tuple[Extension, bool]]] = field(default_factory=dict)
    """By database; whether the files know a way."""
    closed: dict[str, str] = field(default_factory=dict)


class ExtensionUpdate:
    """An action an extension of a database: the server does it as one transaction."""

    facts = POSTGRES_EXTENSION_UPDATE
    parameters = Parameters

    def __init__(self, servers: Sequence[PostgresServer], door: Callable[[PostgresServer], PostgresDoor]) -> None:
        self._servers = {server.name: server for server in servers}
        self._door = door
        self.action_timeout = max((server.maintenance.statement_timeout for server in servers), default=0.0) + 120.0

    async def targets(self) -> Sequence[str]:
        return list(self._servers)

    async def measure(self, target: str) -> Measurement:
        """Values: ``extensions`` of another version than their files."""
        found = await self._look(target)
        behind = sum(len(each) for each in found.extensions.values())
        return Measurement(
            breached=behind > 0, values={"extensions": behind}, detail=f"{counted(behind, 'extension')} behind"
        )

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return make_plan(await self._look(target))

    async def apply(self, target: str, action: Action) -> Effect:
        if action.kind != UPDATE:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        server = self._server(target)
        policy, door = server.maintenance, self._door(server)
        dbname, name, version = (str(action.params[key]) for key in ("database", "extension", "to"))
        async with door.looking(dbname) as watcher:
            if (await watcher.rows(IN_RECOVERY))[0][0]:
                return Effect(state="skipped", detail="the server is a standby now")
            installed = await watcher.rows(_INSTALLED, name)
            if not installed or installed[0][0] != action.params["from"]:
                detail = f"it has the version {installed[0][0]} now" if installed else "it is gone"
                return Effect(state="skipped", detail=detail)
            seconds, patience = policy.statement_timeout, policy.lock_timeout
            async with door.working(dbname, seconds=seconds, lock_seconds=patience) as worker:
                course = await carry_out(worker, watcher, _statement(name, version), patience=patience)
            after = await watcher.rows(_INSTALLED, name)
            if after and after[0][0] == version:
                return Effect(state="done", detail="; ".join([f"{version} is installed", *course.remarks[:3]]))
            if course.refused or course.gave_way:
                raise why(course, f"{dbname}: {name}", seconds)
            raise TaskError(f"{dbname}: {name} still has the version {after[0][0] if after else 'none'}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["extensions"] < before.values["extensions"]

    async def _look(self, target: str) -> Found:
        server = self._server(target)
        door = self._door(server)
        async with door.looking(server.dbname) as session:
            if (await session.rows(IN_RECOVERY))[0][0]:
                return Found(standby=True)
            names = chosen(server, await databases_of(server, session))
        looked, closed = await look_into(door, names, _behind)
        return Found(extensions={name: each for name, each in looked.items() if each}, closed=closed)

    def _server(self, target: str) -> PostgresServer:
        server = self._servers.get(target)
        if server is None:
            raise TaskError(f"no server in postgres: has the name {target}")
        return server


async def _behind(session: Session) -> list[tuple[Extension, bool]]:
    behind = [Extension(*row) for row in await session.rows(_BEHIND)]
    return [(one, await _has_way(session, one)) for one in behind]


async def _has_way(session: Session, one: Extension) -> bool:
    """Whether its files know how to get there. Where looking takes too long, as with PostGIS, the update will tell."""
    try:
        return bool((await session.rows(_WAY, one.name, one.installed, one.available))[0][0])
    except QueryRefused:
        return True


def _statement(name: str, version: str) -> "sql.Composed":
    from psycopg import sql

    return sql.SQL("ALTER EXTENSION {} UPDATE TO {}").format(sql.Identifier(name), sql.Literal(version))


def make_plan(found: Found) -> Plan:
    """An action for each that can be updated. Pure."""
    if found.standby:
        return Plan(notes=["The server is a standby: what is done on its primary reaches it by itself."])
    actions: list[Action] = []
    rows: list[ExtensionRow] = []
    notes: list[str] = []
    for dbname, behind in found.extensions.items():
        for one, has_way in behind:
            rows.append(
                ExtensionRow(database=dbname, extension=one.name, installed=one.installed, available=one.available)
            )
            if not has_way:
                notes.append(
                    f"{dbname}: {one.name} stays at {one.installed}: the server's files know no way from there to "
                    f"{one.available}. Is its image older than the one that updated it?"
                )
            elif not one.owned:
                notes.append(
                    f'{dbname}: the role may not update {one.name}; its owner can: ALTER EXTENSION "{one.name}" '
                    f"UPDATE TO '{one.available}';"
                )
            else:
                actions.append(_action(dbname, one))
    notes += [f"{name} could not be looked into: {reason}." for name, reason in found.closed.items()]
    return Plan(actions=actions, rows=rows, notes=notes)


def _action(dbname: str, one: Extension) -> Action:
    return Action(
        kind=UPDATE,
        object=f"{dbname}: {one.name}",
        reason=f"{one.installed} is installed, and the server's files are {one.available}",
        params={"database": dbname, "extension": one.name, "from": one.installed, "to": one.available},
    )
