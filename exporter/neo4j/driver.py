"""One Neo4j server through its official driver: one connection, kept open, that cannot hang its user.

The driver is imported at the first connect. What bounds it:

- ``connection_timeout`` and ``connection_acquisition_timeout``: connecting, TLS, handshake and login together.
- a transaction timeout that the server itself enforces, for each query, and some seconds more on this side.
- cancellation: the driver then closes the connection without a goodbye. Then call ``discard``. (Over TLS asyncio itself
  waits for the other side's goodbye, 30 seconds at most, before the socket of an established connection is gone.)

Queries run as single transactions, which the driver never repeats. Whatever it logs it also raises.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString, NoReturn, TypeVar

from exporter import __version__
from exporter.base.errors import UpkeeperError
from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j.driver_memory import shrink

if TYPE_CHECKING:
    from neo4j import AsyncDriver, AsyncTransaction

T = TypeVar("T")

MAX_ROWS = 10_000
"""How many rows of an answer are read."""

STREAM_ROWS = 200
"""How many rows of a long answer are fetched at once: a node with an embedding takes 50 KB."""

STREAM_IDLE = 900.0
"""Seconds without any row after which a long answer is given up."""

LOGIN_PAUSE = 300.0
"""Seconds until a refused login is tried again: after a few in a row the server locks the user out."""

TRANSACTION_METADATA = {"app": "upkeeper"}
"""What each of our transactions is marked with, in SHOW TRANSACTIONS and in the server's query log."""

_MAX_REASON = 2000
"""Characters: all of what any server says, and not all of what something else on its port might."""

_SECURITY = "Neo.ClientError.Security."
_OUR_LIMIT = "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration"


class Neo4jUnavailable(UpkeeperError):
    """The server cannot be reached, does not answer, or refuses the login. The message is one line for people."""


class Neo4jRefused(UpkeeperError):
    """The server answered that it does not do this: not allowed, or not known. The message is one line."""


class Neo4jTooSlow(Neo4jRefused):
    """The query was ended because it took longer than we let it."""


@dataclass(frozen=True, slots=True, repr=False)
class _Refusal:
    password: str
    until: float
    """On the monotonic clock."""
    reason: str


class Neo4jDriver:
    """Asks one server, one query at a time.

    timeout: seconds for connecting and logging in.
    monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        server: Neo4jServer,
        timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._monotonic = monotonic
        self._threads = KeyedThreads()
        self._driver: AsyncDriver | None = None
        self._password = ""
        self._refusal: _Refusal | None = None

    async def rows(self, database: str, query: LiteralString, seconds: float) -> Sequence[dict[str, Any]]:
        """The first MAX_ROWS rows that a reading query gives. Raises Neo4jUnavailable, Neo4jRefused, Neo4jTooSlow.

        seconds: for the query, once there is a connection.
        """

        async def ask() -> Sequence[dict[str, Any]]:
            return await self._rows(await self._connected(), database, query, seconds)

        return await self._within(seconds, ask)

    async def write(self, database: str, statements: Sequence[str], seconds: float) -> None:
        """Executes statements that give no rows in one transaction: all of them, or none.

        Raises as rows does. statements: Cypher, which must hold nothing that came from outside, names quoted.
        """

        async def do() -> None:
            from neo4j import WRITE_ACCESS

            driver = await self._connected()
            async with driver.session(database=database, default_access_mode=WRITE_ACCESS) as session:
                begun = await session.begin_transaction(timeout=seconds, metadata=TRANSACTION_METADATA)
                async with begun as transaction:
                    for statement in statements:
                        await (await transaction.run(statement)).consume()
                    await transaction.commit()

        await self._within(seconds, do)

    async def change(
        self, database: str, statement: str, parameters: Mapping[str, Any], seconds: float
    ) -> Sequence[dict[str, Any]]:
        """Executes one statement as a transaction of its own; all rows that it gives. Raises as rows does.

        statement: Cypher, as for write. parameters: what came from outside belongs here.
        """

        async def do() -> Sequence[dict[str, Any]]:
            from neo4j import WRITE_ACCESS, Query

            driver = await self._connected()
            async with driver.session(database=database, default_access_mode=WRITE_ACCESS) as session:
                query = Query(statement, timeout=seconds, metadata=TRANSACTION_METADATA)
                result = await session.run(query, dict(parameters))
                return [dict(record) async for record in result]

        return await self._within(seconds, do)

    async def bookmark(self, database: str) -> frozenset[str]:
        """Names the last transaction that was committed: the same twice, and nothing was in between.

        Raises as rows does. https://neo4j.com/docs/operations-manual/current/database-internals/bookmarks/
        """

        async def ask() -> frozenset[str]:
            from neo4j import READ_ACCESS

            driver = await self._connected()
            async with driver.session(database=database, default_access_mode=READ_ACCESS) as session:
                await (await session.run("RETURN 1")).consume()
                return frozenset((await session.last_bookmarks()).raw_values)

        return await self._within(2 * self._timeout, ask)

    @asynccontextmanager
    async def reading(self, database: str, seconds: float) -> "AsyncIterator[Reading]":
        """One read transaction for whole answers, however long. Raises as rows does, and so do its streams.

        seconds: that all of it may take.
        """
        from neo4j import READ_ACCESS

        try:
            driver = await self._connected()
            async with driver.session(
                database=database, default_access_mode=READ_ACCESS, fetch_size=STREAM_ROWS
            ) as session:
                begun = await session.begin_transaction(timeout=seconds, metadata=TRANSACTION_METADATA)
                async with begun as transaction:
                    yield Reading(transaction)
        except UpkeeperError:
            raise
        except TimeoutError:
            await self.discard()
            raise Neo4jTooSlow(f"nothing came for {STREAM_IDLE:g} s") from None
        except Exception as error:
            from neo4j.exceptions import DriverError, Neo4jError

            if not isinstance(error, Neo4jError | DriverError):
                raise  # of whoever works with what was read
            await self._raise(error)

    async def _within(self, seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(seconds + 2 * self._timeout) as limit:
                return await ask()
        except (Neo4jUnavailable, Neo4jRefused):
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise much, also outside of their own exceptions
            if limit.expired():
                await self.discard()
                raise Neo4jTooSlow(f"no answer within {seconds:g} s") from None
            await self._raise(error)

    async def greet(self) -> None:
        """Connects, logs in and closes that connection again. Raises Neo4jUnavailable."""
        try:
            await (await self._connected()).verify_connectivity()
        except Neo4jUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise Neo4jUnavailable(self._reason(error)) from None
        finally:
            await self.discard()

    async def _raise(self, error: Exception) -> NoReturn:
        """As what callers know. Closes the connection where it, or the login, is at fault."""
        from neo4j.exceptions import Neo4jError

        reason = self._reason(error)
        if not isinstance(error, Neo4jError):
            await self.discard()
            raise Neo4jUnavailable(reason) from None
        if error.code == _OUR_LIMIT:
            raise Neo4jTooSlow(reason) from None
        if not _is_login(error.code):
            raise Neo4jRefused(reason) from None
        await self.discard()
        self._refusal = _Refusal(self._password, self._monotonic() + LOGIN_PAUSE, reason)
        raise self._refused(self._refusal) from None

    async def discard(self) -> None:
        """Closes the connection, in a short time, whatever the server does. The next query makes a new one."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        with suppress(Exception):
            async with asyncio.timeout(self._timeout / 10):
                await driver.close()

    async def _rows(
        self, driver: "AsyncDriver", database: str, query: LiteralString, seconds: float
    ) -> Sequence[dict[str, Any]]:
        from neo4j import READ_ACCESS, Query

        session = driver.session(database=database, default_access_mode=READ_ACCESS, fetch_size=MAX_ROWS)
        async with session:
            result = await session.run(Query(query, timeout=seconds, metadata=TRANSACTION_METADATA))
            return [dict(record) for record in await result.fetch(MAX_ROWS)]

    async def _connected(self) -> "AsyncDriver":
        if self._driver is None:
            password = await self._read_password()
            refusal = self._refusal
            if refusal is not None and password == refusal.password and self._monotonic() < refusal.until:
                raise self._refused(refusal)
            tls = await self._read_authorities()
            self._password = password
            self._driver = self._make(tls)
        return self._driver

    def _make(self, tls: ssl.SSLContext | None) -> "AsyncDriver":
        """A driver, which connects when it is first used."""
        import neo4j
        import neo4j.time

        shrink(neo4j.time)
        server, uri = self._server, self._server.uri
        options: dict[str, Any] = {}
        if tls is not None:  # which the driver takes only where the scheme does not speak of TLS
            uri = uri.replace("+s://", "://", 1)
            options = {"ssl_context": tls}
        return neo4j.AsyncGraphDatabase.driver(
            uri,
            auth=None if server.username is None else (server.username, self._password),
            user_agent=f"upkeeper/{__version__}",
            max_connection_pool_size=1,
            connection_timeout=self._timeout,
            connection_acquisition_timeout=self._timeout,
            connection_write_timeout=self._timeout,
            max_transaction_retry_time=0,
            telemetry_disabled=True,
            **options,
        )

    async def _read_password(self) -> str:
        path = self._server.password_file
        if path is None:
            return ""
        try:
            return await self._threads.run("password", lambda: read_secret(path))
        except SecretUnreadable as error:
            raise Neo4jUnavailable(f"the password file {path} {error}") from None
        except StillStuck:
            raise Neo4jUnavailable(f"the password file {path} cannot be read: an earlier read still hangs") from None

    async def _read_authorities(self) -> ssl.SSLContext | None:
        path = self._server.ca_file
        if path is None:
            return None
        try:
            return await self._threads.run("authorities", lambda: ssl.create_default_context(cafile=path))
        except (OSError, StillStuck) as error:  # what is wrong with a certificate is an OSError too
            raise Neo4jUnavailable(f"cannot use the ca_file {path}: {_line(str(error))}") from None

    def _refused(self, refusal: _Refusal) -> Neo4jUnavailable:
        return Neo4jUnavailable(
            f"login refused, retried after {LOGIN_PAUSE:g} s or with another password: {refusal.reason}"
        )

    def _reason(self, error: BaseException) -> str:
        """What went wrong, without the password: a server could repeat it in its answer."""
        text = f"no answer within {self._timeout:g} s" if _is_timeout(error) else _words(error)
        return _line(text.replace(self._password, "***") if self._password else text)


class Reading:
    """A read transaction that is open."""

    def __init__(self, transaction: "AsyncTransaction") -> None:
        self._transaction = transaction

    async def stream(self, query: LiteralString) -> AsyncIterator[list[Any]]:
        """All rows of a query, each as its values in order; not more than a few hundred are held at once."""
        result = await self._transaction.run(query)
        while True:
            async with asyncio.timeout(STREAM_IDLE):
                records = await result.fetch(STREAM_ROWS)
            if not records:
                return
            for record in records:
                yield record.values()


def _is_login(code: str | None) -> bool:
    """Whether an error is about who we are, not about one thing that we may not do."""
    return code is not None and code.startswith(_SECURITY) and code != f"{_SECURITY}Forbidden"


def _is_timeout(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    return error is not None


def _words(error: BaseException) -> str:
    """The text of the innermost of the wrapped exceptions: the outer ones say only that something did go wrong."""
    from neo4j.exceptions import Neo4jError

    if isinstance(error, Neo4jError):
        return f"{error.message} ({error.code})"
    while (inner := error.__cause__) is not None:
        error = inner
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text or type(error).__name__


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_REASON else f"{line[: _MAX_REASON - 3]}..."
