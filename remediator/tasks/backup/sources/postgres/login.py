"""How one logs in to a server: as psycopg takes it, and as the environment of its programs. Never in an argument."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from exporter.base.errors import UpkeeperError
from exporter.inventory.postgres import PostgresServer
from exporter.postgres.connect import connection_parameters
from exporter.postgres.session import reason_of
from remediator.model.task import TaskError

if TYPE_CHECKING:
    import psycopg

_CONNECT_SECONDS = 30
_GONE_MILLISECONDS = 120_000
"""A server that has not acknowledged anything for so long is given up."""
_LOOK_SECONDS = 0.5
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
_OPTIONS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "300000",
    "row_security": "off",
    "search_path": "pg_catalog",
    "jit": "off",
}


def environment(server: PostgresServer) -> Mapping[str, str]:
    """Variables by which libpq's programs find the server and log in. Blocks. Raises TaskError."""
    given = _parameters(server)
    return {
        "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
        "PGGSSENCMODE": "disable",
        **{_VARIABLES[key]: str(value) for key, value in given.items()},
    }


@contextmanager
def session(server: PostgresServer, dbname: str, stop: threading.Event) -> "Iterator[psycopg.Connection[Any]]":
    """A connection that only reads, in one transaction. Blocks. Raises TaskError, also once ``stop`` is set."""
    import psycopg

    options = {**_OPTIONS, "default_transaction_read_only": "on"}
    try:
        connection = psycopg.connect(
            **_parameters(server),
            dbname=dbname,
            application_name="upkeeper backup",
            client_encoding="UTF8",
            gssencmode="disable",
            connect_timeout=_CONNECT_SECONDS,
            tcp_user_timeout=_GONE_MILLISECONDS,
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
        )
    except psycopg.Error as error:
        reason = reason_of(error).rpartition("FATAL:")[2].strip()  # before it stands where the server is
        raise TaskError(explained(server, reason)) from None
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(connection, stop, ended), daemon=True)
    watcher.start()
    try:
        yield connection
    except psycopg.Error as error:
        raise TaskError(explained(server, reason_of(error))) from None
    finally:
        ended.set()
        watcher.join()
        connection.close()


def explained(server: PostgresServer, reason: str) -> str:
    """Why it did not work, and what to do about it, on one line. Pure."""
    said = f"PostgreSQL {server.name}: {reason}"
    if "password authentication failed" in reason or "no password supplied" in reason:
        secret = server.password_file or server.passfile
        return f"{said}; correct the password in {secret}" if secret else f"{said}; give it a password_file"
    if "permission denied" in reason or "must be superuser" in reason:
        return (
            f"{said}; {server.user} needs pg_read_all_data, and to be a superuser for large objects: "
            "docs/how-to/backups.md"
        )
    if "row-level security" in reason or "row security" in reason:
        return f"{said}; give {server.user} BYPASSRLS, or it would leave out rows"
    if "No space left on device" in reason:
        return f"the disk is full: no room for the dump of PostgreSQL {server.name}; make room, or remove old sets"
    return said


def _parameters(server: PostgresServer) -> dict[str, Any]:
    try:
        return connection_parameters(server)
    except UpkeeperError as error:
        raise TaskError(explained(server, str(error))) from None


def _watch(connection: "psycopg.Connection[Any]", stop: threading.Event, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_SECONDS):
        if stop.is_set():
            with suppress(Exception):
                connection.cancel_safe(timeout=5.0)
            return
