"""The role that this host has in a database that hosts share: its own, held to what is its own, or an owner's."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from remediator.model.errors import EXIT_USAGE, ClientError

FORBIDDEN = "42501"
"""insufficient_privilege: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_FUNCTION = "to_regprocedure('public.upkeeper_host()')"


def held(connection: sa.Connection, host: str) -> bool:
    """Whether the database holds this host to what is its own. Raises ClientError when the role is another host's."""
    if connection.scalar(sa.text(f"SELECT {_FUNCTION}")) is None:
        return False
    if not connection.scalar(sa.text("SELECT row_security_active('public.runs')")):
        return False  # it owns the tables
    row = connection.execute(sa.text("SELECT session_user, public.upkeeper_host()")).one()
    if row[1] is None:
        raise ClientError(
            f"the role {row[0]} of the database is no host's: `upkeeper state roles {host} --apply`, by whoever owns "
            "the tables, makes one for this host",
            EXIT_USAGE,
        )
    if row[1] != host:
        raise ClientError(
            f"the role {row[0]} of the database is that of the host {row[1]!r}, and this one is {host!r}: every host "
            "has a URL of its own (`state: {database_url_file: ...}`), and its name (`host: {name: ...}`)",
            EXIT_USAGE,
        )
    return True


@contextmanager
def explained() -> Iterator[None]:
    """Raises ClientError where the tables are to be brought up to date by another role than this one."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != FORBIDDEN:
            raise
        raise ClientError(
            "the tables of the record are to be brought up to date, which this host's role may not do: "
            "`upkeeper state roles --apply`, by whoever owns them",
            EXIT_USAGE,
        ) from error
