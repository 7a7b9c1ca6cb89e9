"""One connection to a PostgreSQL server that cannot hold its user up: whatever the server does, it can be cut.

psycopg answers a cancelled task by asking the server to cancel the query, and waits for it. A server that is stopped
never does. So a query is not cancelled here: its socket is shut down, and the query then fails by itself, at once.
"""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from exporter.base.errors import UpkeeperError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

Row = tuple[Any, ...]

_CLOSE_SECONDS = 1.0
_CANCEL_SECONDS = 5.0
_CHECKS_CLIENT = 140000
"""The version number from which on a server can notice, while it works, that its client is gone."""


class PostgresUnavailable(UpkeeperError):
    """There is no connection, or it broke. The message is for people and holds no secret."""


class QueryRefused(UpkeeperError):
    """The server answered a query with an error; the connection stays usable. The message is the server's.

    sqlstate: the error's code, as in https://www.postgresql.org/docs/current/errcodes-appendix.html; empty if unknown.
    """

    def __init__(self, message: str, sqlstate: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class Session:
    """An open connection: each statement its own transaction, with time limits that the server enforces."""

    def __init__(self, connection: "psycopg.AsyncConnection[Row]", dbname: str) -> None:
        self.dbname = dbname
        self._connection = connection
        self._cut_because = ""
        self._running: asyncio.Task[list[Row]] | None = None

    @property
    def usable(self) -> bool:
        """Whether the connection is not known to be broken."""
        return not self._cut_because and not self._connection.closed

    @property
    def version_number(self) -> int:
        """As 150004 for 15.4."""
        return self._connection.info.server_version

    @property
    def pid(self) -> int:
        """The process on the server."""
        return self._connection.info.backend_pid

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
                raise QueryRefused(reason_of(error), error.sqlstate or "") from None
            raise PostgresUnavailable(self._cut_because or reason_of(error)) from None

    async def do(self, statement: "sql.Composed") -> list[str]:
        """Has the server do something that gives no rows; what it remarked on it, each on one line.

        Raises PostgresUnavailable and QueryRefused. Cancelled, it first has the server end the statement, which may
        take some seconds.
        """
        import psycopg

        remarks: list[str] = []

        def note(diagnostic: "psycopg.errors.Diagnostic") -> None:
            remarks.append(diagnostic.message_primary or "")

        self._connection.add_notice_handler(note)
        task = asyncio.ensure_future(self._connection.execute(statement, prepare=False))
        try:
            await asyncio.wait([task])
        finally:
            if not task.done():
                task.add_done_callback(_retrieve)
                await self.cancel()
                await asyncio.wait([task], timeout=_CANCEL_SECONDS)
                if not task.done():
                    self.cut("the statement was given up")
            self._connection.remove_notice_handler(note)
        try:
            task.result()
        except psycopg.Error as error:
            if self.usable:
                raise QueryRefused(reason_of(error), error.sqlstate or "") from None
            raise PostgresUnavailable(self._cut_because or reason_of(error)) from None
        return remarks

    async def cancel(self) -> None:
        """Asks the server to end the statement that runs, which then raises QueryRefused. It may have ended already."""
        import psycopg

        with suppress(psycopg.Error, OSError):  # the statement's own time limit remains
            await self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    async def end_when_cut(self, seconds: int) -> None:
        """Has the server look so often whether we are still there, and end a statement if not. None before 14 can."""
        if self.version_number >= _CHECKS_CLIENT:
            with suppress(QueryRefused):  # not every system can tell
                await self.rows("SELECT set_config('client_connection_check_interval', %s, false)", f"{seconds}s")

    async def take_any_text(self) -> None:
        """Has text sent as it is by a database whose encoding is SQL_ASCII: the server refuses to convert any bytes.

        Raises PostgresUnavailable.
        """
        if self._connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            with suppress(QueryRefused):
                await self.rows("SELECT set_config('client_encoding', 'SQL_ASCII', false)")

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


def _retrieve(task: "asyncio.Task[Any]") -> None:
    """Takes note of how a query ended that nobody waits for; asyncio would complain otherwise."""
    if not task.cancelled():
        task.exception()


def reason_of(error: "psycopg.Error") -> str:
    """What went wrong, on one line: the server's own words if it said any."""
    said = error.diag.message_primary
    if said:
        return said
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
