"""Giving each host a role of its own in the database that hosts share: as statements to be read, or done at once."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from remediator.store import rights
from remediator.store.database import Database

OWNER = "owner of the tables"


@dataclass(frozen=True)
class HostRole:
    """url: with the new password, of a role that was made just now; None for one that was there."""

    host: str
    role: str
    url: str | None


def script(hosts: Sequence[str]) -> Sequence[str]:
    """What ``apply`` would do of these hosts, for psql; passwords are to be set beside that."""
    found = [*rights.common()]
    for host in hosts:
        found += [rights.role_statement(host), *rights.of_host(host)]
    return found


async def apply(url: str, hosts: Sequence[str]) -> Sequence[HostRole]:
    """Brings the tables up to date and gives these hosts, and those that have a role already, what they need now.

    url: by which the owner of the tables connects, who may make roles. Raises ValueError, ClientError and
    sqlalchemy.exc.SQLAlchemyError.
    """
    database = Database(url, host=OWNER)
    try:
        await database.make_tables()
        return await database.write(lambda connection: _apply(connection, url, hosts))
    finally:
        await database.close()


async def drop(url: str, hosts: Sequence[str]) -> Sequence[HostRole]:
    """Takes the roles of these hosts away; their rows stay. Raises as ``apply``."""
    database = Database(url, host=OWNER)

    def work(connection: sa.Connection) -> list[HostRole]:
        for host in hosts:
            for statement in rights.without(host):
                connection.exec_driver_sql(_plain(statement))
        return [HostRole(host, rights.role_of(host), None) for host in hosts]

    try:
        return await database.write_opened(work)
    finally:
        await database.close()


def _apply(connection: sa.Connection, url: str, hosts: Sequence[str]) -> Sequence[HostRole]:
    connection.exec_driver_sql("SET LOCAL client_min_messages = warning")
    for statement in rights.common():
        connection.exec_driver_sql(_plain(statement))
    known = connection.scalars(sa.text("SELECT host FROM public.host_roles ORDER BY host"))
    done = []
    for host in dict.fromkeys([*hosts, *known]):
        done.append(HostRole(host, rights.role_of(host), _role(connection, url, host)))
        for statement in rights.of_host(host):
            connection.exec_driver_sql(_plain(statement))
    return done


def _role(connection: sa.Connection, url: str, host: str) -> str | None:
    role = rights.role_of(host)
    if connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}) is not None:
        return None
    password = secrets.token_urlsafe(24)
    # What the server stores, so that no log of statements has the password.
    pgconn = connection.connection.dbapi_connection.pgconn  # type: ignore[union-attr]
    verifier = pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.exec_driver_sql(_plain(rights.role_statement(host, verifier)))
    return sa.make_url(url).set(username=role, password=password).render_as_string(hide_password=False)


def _plain(statement: str) -> str:
    """As the driver takes it: a percent sign is none of a parameter."""
    return statement.replace("%", "%%")
