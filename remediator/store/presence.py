"""This host among those that share a database: one process at a time has its name, says that it lives, and is called.

The name is held by an advisory lock of a session (https://www.postgresql.org/docs/current/explicit-locking.html), which
the server gives back when the session ends: when the process ends, or its machine answers no more. The same session
listens for calls and notes signs of life, so that a host at rest has one connection.
"""

import asyncio
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog

from exporter.base.text import format_time_ms
from remediator.model.errors import EXIT_UNREACHABLE, EXIT_USAGE, ClientError
from remediator.store.fleet import BEAT, EVERYTHING, channel

if TYPE_CHECKING:
    import psycopg

log = structlog.get_logger(__name__)

NAMES = 0x75706B70
"""What the hash of a host's name begins with, so that the locks of names are no others of ours."""
CLAIM_WITHIN = 5.0
"""Seconds in which a name is claimed that another session has: that of a process that ends, as a rule."""
AGAIN = 5.0
"""Seconds until a database that does not answer is asked again."""
ANSWER = 15.0
"""Seconds in which the database answers a sign of life."""

_SESSION = {
    # A machine that is gone without a word gives its name back within a minute, not after two hours.
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "off",  # the next sign of life comes soon
    "statement_timeout": "10s",
}
_BEAT = """
    UPDATE hosts SET seen_at = extract(epoch FROM clock_timestamp()), stopped_at = NULL,
                     watchdog_at = coalesce(%(watchdog)s, watchdog_at)
    WHERE host = %(host)s
    RETURNING (SELECT max(watchdog_at) FROM hosts),
              EXISTS (SELECT FROM rollouts WHERE finished_at IS NULL
                      AND driven_until < extract(epoch FROM clock_timestamp()))
"""
_HOLDER = "SELECT node, started_at FROM hosts WHERE host = %s"


class Presence:
    """url: of the PostgreSQL database, as SQLAlchemy has it. host: this one's name.

    on_call: there may be something to do; also called after the database was away. watchdog: when this host last
    received the always-firing alert; on_watchdog: called with when any host did. on_orphan: called when there is a
    rollout that nobody drives. on_everything: what was looked at may be another matter now. on_away: called when the
    database has not answered for so many seconds as away_after says, and again while it does not. Times are Unix
    seconds.
    """

    def __init__(
        self,
        url: str,
        host: str,
        on_call: Callable[[], None],
        watchdog: Callable[[], float | None] = lambda: None,
        on_watchdog: Callable[[float], None] = lambda _: None,
        on_orphan: Callable[[], None] = lambda: None,
        on_everything: Callable[[], None] = lambda: None,
        away_after: Callable[[], float | None] = lambda: None,
        on_away: Callable[[], None] = lambda: None,
    ) -> None:
        self._away_after = away_after
        self._on_away = on_away
        self._away_since: float | None = None
        self._url = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._host = host
        self._on_call = on_call
        self._watchdog = watchdog
        self._on_watchdog = on_watchdog
        self._on_orphan = on_orphan
        self._on_everything = on_everything
        self._session: psycopg.AsyncConnection[Any] | None = None

    async def claim(self, within: float = CLAIM_WITHIN) -> None:
        """Takes the name. Raises ClientError when another process has it, or the database does not answer."""
        import psycopg

        try:
            session = await self._connected()
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise ClientError(f"cannot reach the database: {_said(error)}", EXIT_UNREACHABLE) from error
        try:
            deadline = asyncio.get_running_loop().time() + within
            while not await self._take(session):
                if asyncio.get_running_loop().time() >= deadline:
                    raise ClientError(await self._taken_by(session), EXIT_USAGE)
                await asyncio.sleep(0.25)
            await session.execute(f"LISTEN {channel(self._host)}".encode())
        except BaseException:
            await session.close()
            raise
        self._session = session

    async def run(self) -> None:
        """Listens and gives signs of life. Ends by cancellation; raises ClientError when another has the name now."""
        import psycopg

        while True:
            try:
                if self._session is None:
                    await self.claim()
                    log.info("the database answers again", host=self._host)
                    self._on_call()
                    self._on_everything()
                self._away_since = None
                await self._listen(self._session)
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("the database does not answer", host=self._host, reason=_said(error))
            except ClientError as error:
                if error.exit_code != EXIT_UNREACHABLE:
                    raise
            await self.close()
            await asyncio.sleep(self._away())

    def _away(self) -> float:
        """Says that the database is away, if it has been for long enough; seconds until it is asked again."""
        now = asyncio.get_running_loop().time()
        if self._away_since is None:
            self._away_since = now
        after = self._away_after()
        if after is None:
            return AGAIN
        left = self._away_since + after - now
        if left <= 0:
            self._on_away()
            return AGAIN
        return min(AGAIN, left)

    async def answers(self) -> bool:
        """Whether the database answers, and can be written to. Claims nothing."""
        import psycopg

        try:
            async with asyncio.timeout(ANSWER):
                session = await self._connected()
                try:
                    row = await (await session.execute("SELECT pg_is_in_recovery()")).fetchone()
                finally:
                    await session.close()
        except (psycopg.Error, OSError, TimeoutError):
            return False
        return row is not None and not row[0]

    async def close(self) -> None:
        """Gives the name back."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _listen(self, session: "psycopg.AsyncConnection[Any] | None") -> None:
        assert session is not None, "the name is claimed before"
        while True:
            async with asyncio.timeout(ANSWER):
                await self._beat(session)
            until = asyncio.get_running_loop().time() + BEAT
            while (left := until - asyncio.get_running_loop().time()) > 0:
                async for call in session.notifies(timeout=left, stop_after=1):
                    self._on_call()
                    if call.payload == EVERYTHING:
                        self._on_everything()

    async def _beat(self, session: "psycopg.AsyncConnection[Any]") -> None:
        cursor = await session.execute(_BEAT, {"host": self._host, "watchdog": self._watchdog()})
        row = await cursor.fetchone()
        if row is not None and row[0] is not None:
            self._on_watchdog(row[0])
        if row is not None and row[1]:
            self._on_orphan()

    async def _connected(self) -> "psycopg.AsyncConnection[Any]":
        import psycopg

        options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            options=options,
            application_name=f"upkeeper {self._host} presence"[:63],
            connect_timeout=10,
            keepalives_idle=20,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=30_000,
        )

    async def _take(self, session: "psycopg.AsyncConnection[Any]") -> bool:
        cursor = await session.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, %s))", (self._host, NAMES))
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def _taken_by(self, session: "psycopg.AsyncConnection[Any]") -> str:
        import psycopg

        who = ""
        try:
            row = await (await session.execute(_HOLDER, (self._host,))).fetchone()
            if row is not None:
                here = " (this one)" if row[0] == platform.node() else ""
                who = f", on the machine {row[0]}{here} since {format_time_ms(row[1])}"
        except psycopg.Error:
            pass  # the table may not be there yet
        return (
            f"another remediator is the host {self._host!r} on this database{who}: stop it, or give this one a name of "
            "its own (`host: {name: ...}` in the config)"
        )


def _said(error: BaseException) -> str:
    """The first line of what is wrong, which holds no password."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
