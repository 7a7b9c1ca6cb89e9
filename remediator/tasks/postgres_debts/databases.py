"""Which databases of a server are looked into, one after the other, over sessions that only read."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from exporter.base.errors import UpkeeperError
from exporter.inventory.postgres import PostgresServer
from exporter.postgres import queries
from exporter.postgres.rows import Database
from exporter.postgres.session import Session
from remediator.servers.postgres import PostgresDoor

T = TypeVar("T")

IN_RECOVERY = "SELECT pg_is_in_recovery()"


def chosen(server: PostgresServer, databases: Sequence[Database], also: Sequence[str] = ()) -> list[str]:
    """Names of those that the config asks for, and of ``also``, but none that it leaves out. Pure."""
    wanted, excluded = server.databases, server.exclude_databases
    asked = [one.name for one in databases if one.connectable and (not wanted or one.name in wanted)]
    return [name for name in dict.fromkeys([*asked, *also]) if name not in excluded]


async def look_into(
    door: PostgresDoor, names: Sequence[str], look: Callable[[Session], Awaitable[T]]
) -> tuple[dict[str, T], dict[str, str]]:
    """What ``look`` finds in each, and why others could not be looked into, by name."""
    found: dict[str, T] = {}
    closed: dict[str, str] = {}
    for name in names:
        try:
            async with door.looking(name) as session:
                found[name] = await look(session)
        except UpkeeperError as error:
            closed[name] = str(error)
    return found, closed


async def databases_of(server: PostgresServer, session: Session) -> list[Database]:
    """All of them, as the exporter reads them. Raises PostgresUnavailable and QueryRefused."""
    return [Database(*row) for row in await session.rows(queries.DATABASES, server.databases)]
