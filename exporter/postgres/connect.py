"""Opening a session: the password, the address and the parameters of the connection."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.postgres import PostgresServer
from exporter.postgres.session import PostgresUnavailable, Row, Session, reason_of

if TYPE_CHECKING:
    import psycopg
    from psycopg.adapt import AdaptersMap


async def connect(
    server: PostgresServer,
    dbname: str,
    threads: KeyedThreads,
    *,
    seconds: float,
    statement_seconds: float,
    settings: Mapping[str, str] | None = None,
) -> Session:
    """A new session, which only reads unless the settings say otherwise. Raises PostgresUnavailable.

    threads: reads the password and looks up the host's address, which may hang.
    seconds: for the connection. statement_seconds: for each statement; to wait for a lock, a quarter of that.
    settings: the server's, for this session, in place of ours. Values without blanks.
    """
    try:
        async with asyncio.timeout(seconds):
            parameters = await threads.run(("postgres", server.name), partial(connection_parameters, server))
            session = Session(await _open(parameters, dbname, statement_seconds, settings or {}), dbname)
    except TimeoutError:
        raise PostgresUnavailable(f"no connection within {seconds:.3g} s") from None
    except StillStuck:
        raise PostgresUnavailable("looking up its address or reading its password hangs") from None
    try:
        with session.within(seconds):
            await session.take_any_text()
    except BaseException:
        await session.close()
        raise
    return session


async def _open(
    parameters: dict[str, Any], dbname: str, statement_seconds: float, settings: Mapping[str, str]
) -> "psycopg.AsyncConnection[Row]":
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
        **settings,
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
        raise PostgresUnavailable(reason_of(error)) from None


def connection_parameters(server: PostgresServer) -> dict[str, Any]:
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
        password = read_secret(file)
    except SecretUnreadable as error:
        raise PostgresUnavailable(f"password_file {file} {error}") from None
    if "\0" in password:
        raise PostgresUnavailable(f"password_file {file} holds no password")
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
        raise PostgresUnavailable(
            f"the host's address cannot be resolved: {getattr(error, 'strerror', error)}"
        ) from None
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
