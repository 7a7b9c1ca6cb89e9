"""One PostgreSQL database (15 or newer) that several machines may share."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event

from remediator.model.errors import NoRoom

T = TypeVar("T")

TIMEOUT = "30s"
"""For a statement, and for the wait for whoever writes, as with SQLite."""
CONNECTING: dict[str, Any] = {
    "connect_timeout": 10,
    # A server that is gone without a word is noticed within a minute, not after two hours.
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": f"-c statement_timeout={TIMEOUT} -c lock_timeout={TIMEOUT} -c idle_in_transaction_session_timeout=60s"
    " -c synchronous_commit=on",
}

DEADLOCK = "40P01"
SERIALIZATION_FAILURE = "40001"
DISK_FULL = "53100"
"""https://www.postgresql.org/docs/current/errcodes-appendix.html"""
MAX_TRIES = 5
"""Of one transaction that the server ended so that another could go on."""

WRITERS = 0x75706B70
"""The first half of our advisory locks' keys; the second tells the hosts apart."""
MIGRATION = 0x75706B705F6D6967


class Postgresql:
    """The Backend that hosts share. Hosts do not wait for each other, but where they change the same row.

    url: SQLAlchemy's or libpq's. host: whose writers wait for each other. on_room: as the Database's.
    """

    one_machine = False
    turn = None

    def __init__(self, url: sa.URL, host: str, on_room: Callable[[str], None]) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._host = host
        self._on_room = on_room
        self._connected: set[Any] = set()
        """The driver's connections, those that wait for something to be asked too."""
        self._aborted = False
        self._error: type[Exception] = OSError
        """What the driver raises."""
        self._writer: sa.Engine | None = None
        self._reader: sa.Engine | None = None

    @property
    def url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    def open(self) -> bool:
        if self._writer is None:
            self._writer = self._engine(pool_size=1)
            event.listen(self._writer, "begin", self._wait_for_other_writers)
            reader = self._engine(pool_size=4, isolation_level="REPEATABLE READ")
            self._reader = reader.execution_options(postgresql_readonly=True)
        return True

    def _engine(self, **settings: Any) -> sa.Engine:
        given = {name: value for name, value in CONNECTING.items() if name not in self._url.query}
        given["application_name"] = f"upkeeper {self._host}"[:63]
        engine = sa.create_engine(self._url, max_overflow=0, pool_pre_ping=True, connect_args=given, **settings)
        self._error = engine.dialect.loaded_dbapi.Error
        event.listen(engine, "do_connect", self._refuse_when_aborted)
        event.listen(engine, "connect", lambda connection, *_: self._connected.add(connection))
        event.listen(engine, "close", lambda connection, *_: self._connected.discard(connection))
        return engine

    def _refuse_when_aborted(self, *_: object) -> None:
        if self._aborted:
            raise sa.exc.OperationalError("connect", None, OSError("the database is away"))

    def _wait_for_other_writers(self, connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:ours, hashtext(:host))"),
                           {"ours": WRITERS, "host": self._host})  # fmt: skip

    def require_room(self) -> None:
        """There is no way to open it only to read."""

    def touch(self, connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_current_xact_id()"))  # which is then written down as committed

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        assert self._writer is not None, "the database is opened before it is used"
        for left in reversed(range(MAX_TRIES)):
            try:
                result = self._in(self._writer, work)
                self._on_room("")
                return result
            except NoRoom as error:
                self._on_room(str(error))
                raise
            except sa.exc.DBAPIError as error:
                if not left or _state(error) not in (DEADLOCK, SERIALIZATION_FAILURE):
                    raise
        raise AssertionError("the last try returns or raises")

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        assert self._reader is not None, "the database is opened before it is used"
        return self._in(self._reader, work)

    def _in(self, engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
        with self._explained(), engine.begin() as connection:
            return work(connection)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            if _state(error) != DISK_FULL:
                raise
            where = f"{self._url.host or 'this machine'}, database {self._url.database}"
            raise NoRoom(
                f"the disk of the PostgreSQL server is full, so nothing can be recorded ({where}); free space there"
            ) from error

    def prepare_migration(self, connection: sa.Connection) -> None:
        # As long as it takes, also for another host that is at it.
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION})

    def abort(self) -> None:
        # A server whose machine acknowledges and that does not answer would be waited for without end.
        self._aborted = True
        for connection in list(self._connected):
            with suppress(OSError, self._error), socket.socket(fileno=os.dup(connection.fileno())) as one:
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for engine in (self._writer, self._reader):
            if engine is not None:
                engine.dispose()


def _state(error: sa.exc.DBAPIError) -> str | None:
    """The SQLSTATE of an error."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state
