"""One connection to a PostgreSQL server that cannot hold its user up: whatever the server does, it can be cut.

psycopg answers a cancelled task by asking the server to cancel the query, and waits for it. A server that is stopped
never does. So a query is not cancelled here: its socket is shut down, and the query then fails by itself, at once.
"""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.settings.postgres import PostgresServer
from exporter.threads import KeyedThreads, StillStuck

if TYPE_CHECKING:
    import psycopg
    from psycopg.adapt import AdaptersMap

Row = tuple[Any, ...]

_CLOSE_SECONDS = 1.0


class PostgresUnavailable(Exception):
    """There is no connection, or it broke. The message is for people and holds no secret."""


class QueryRefused(Exception):
    """The server answered a query with an error; the connection goes on. The message is the server's."""


class Session:
    """An open connection: each statement its own read-only transaction, with time limits that the server enforces."""

    def __init__(self, connection: "psycopg.AsyncConnection[Row]", dbname: str) -> None:
        self.dbname = dbname
        self._connection = connection
        self._cut_because = ""
        self._running: asyncio.Task[list[Row]] | None = None

    @property
    def usable(self) -> bool:
        """Whether the connection is not known to be broken."""
        return not self._cut_because and not self._connection.closed

    async def rows(self, query: str, *values: object) -> list[Row]:
        """The rows of a query, which is prepared once. Raises PostgresUnavailable and QueryRefused.

        Cancelled, it cuts the connection.
        """
        import psycopg

        task = self._running = asyncio.ensure_future(self._fetch(query, values))
        try:
            await asyncio.wait([task])
        finally:
            if not task.done():
                self.cut("the collection was given up")
                task.add_done_callback(_retrieve)
        try:
            return task.result()
        except psycopg.Error as error:
            if self.usable:
                raise QueryRefused(_reason(error)) from None
            raise PostgresUnavailable(self._cut_because or _reason(error)) from None

    async def _fetch(self, query: str, values: Sequence[object]) -> list[Row]:
        cursor = await self._connection.execute(query.encode(), values, prepare=True)
        return await cursor.fetchall()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cuts the connection if the block takes longer: the query that waits then raises PostgresUnavailable."""
        reason = f"no answer within {seconds:.3g} s"
        handle = asyncio.get_running_loop().call_later(seconds, self.cut, reason)
        try:
            yield
        finally:
            handle.cancel()

    def cut(self, reason: str) -> None:
        """Ends the connection from this side, without a word to the server."""
        import psycopg

        self._cut_because = self._cut_because or reason
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Says goodbye, without waiting for an answer. A query that runs fails."""
        if self._running is not None and not self._running.done():
            self.cut("closed")
            await asyncio.wait([self._running], timeout=_CLOSE_SECONDS)
        await self._connection.close()


def _retrieve(task: "asyncio.Task[list[Row]]") -> None:
    """Takes note of how a query ended that nobody waits for; asyncio would complain otherwise."""
    if not task.cancelled():
        task.exception()


async def connect(
    server: PostgresServer, dbname: str, threads: KeyedThreads, *, seconds: float, statement_seconds: float
) -> Session:
    """A new session. Raises PostgresUnavailable.

    threads: reads the password and looks up the host's address, which may hang.
    seconds: for the connection. statement_seconds: for each statement; to wait for a lock, a quarter of that.
    """
    try:
        async with asyncio.timeout(seconds):
            parameters = await threads.run(("postgres", server.name), partial(_parameters, server))
            return Session(await _open(parameters, dbname, statement_seconds), dbname)
    except TimeoutError:
        raise PostgresUnavailable(f"no connection within {seconds:.3g} s") from None
    except StillStuck:
        raise PostgresUnavailable("the lookup of its address, or of its password, hangs") from None


async def _open(parameters: dict[str, Any], dbname: str, statement_seconds: float) -> "psycopg.AsyncConnection[Row]":
    import psycopg

    milliseconds = max(1, round(statement_seconds * 1000))
    options = {
        "statement_timeout": milliseconds,
        "lock_timeout": max(1, milliseconds // 4),
        "idle_in_transaction_session_timeout": milliseconds,
        "default_transaction_read_only": "on",
        "search_path": "pg_catalog",  # nobody's function or operator of the same name is called
        "jit": "off",  # compiling costs more than these queries
        "max_parallel_workers_per_gather": 0,
    }
    try:
        return await psycopg.AsyncConnection.connect(
            **parameters,
            dbname=dbname,
            application_name="upkeeper",
            client_encoding="UTF8",
            gssencmode="disable",
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
            autocommit=True,
            context=_adapters(),
        )
    except psycopg.Error as error:
        raise PostgresUnavailable(_reason(error)) from None


def _parameters(server: PostgresServer) -> dict[str, Any]:
    """Connection parameters with password and address. Blocks. Raises PostgresUnavailable."""
    import psycopg  # noqa: F401 - takes a tenth of a second, which no event loop should spend

    given = {
        "user": server.user,
        "port": server.port,
        "passfile": server.passfile,
        "sslmode": server.sslmode,
        "sslrootcert": server.sslrootcert,
        "sslcert": server.sslcert,
        "sslkey": server.sslkey,
    }
    parameters: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for file in (server.passfile, server.sslrootcert, server.sslcert, server.sslkey):
        with suppress(OSError):  # libpq says what is wrong with it
            if file is not None and Path(file).is_file():
                Path(file).read_bytes()  # libpq reads it within the event loop, so that a dead mount must hang here
    if server.password_file is not None:
        parameters["password"] = _password(server.password_file)
    return parameters | _address(server.host, server.port)


def _password(file: str) -> str:
    try:
        password = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise PostgresUnavailable(f"password_file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PostgresUnavailable("password_file is not text in UTF-8") from None
    if not password or "\0" in password:
        raise PostgresUnavailable("password_file holds no password")
    return password


def _address(host: str, port: int) -> dict[str, str]:
    """Host and addresses, several separated by commas as libpq takes them, so that psycopg need not look them up."""
    if host.startswith("/"):
        return {"host": host}
    with suppress(ValueError):
        ip_address(host)
        return {"host": host}
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PostgresUnavailable(f"the host's address is not found: {getattr(error, 'strerror', error)}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return {"host": ",".join([host] * len(addresses)), "hostaddr": ",".join(addresses)}


@cache
def _adapters() -> "AdaptersMap":
    """psycopg's own, except that text which is not UTF-8 is no error: names of databases may be in any encoding."""
    import psycopg
    from psycopg.adapt import AdaptersMap, Buffer, Loader

    class LenientText(Loader):
        def load(self, data: Buffer) -> str:
            return bytes(data).decode("utf-8", "backslashreplace")

    adapters = AdaptersMap(psycopg.adapters)
    for name in ("name", "text"):
        adapters.register_loader(name, LenientText)
    return adapters


def _reason(error: "psycopg.Error") -> str:
    """What went wrong, on one line: the server's own words if it said any."""
    said = error.diag.message_primary
    if said:
        return said
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
