"""Databases of PostgreSQL: the new one is loaded under another name, and then both are renamed in one transaction."""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from remediator.model.task import TaskError
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.restore.into_database import Database

if TYPE_CHECKING:
    import psycopg

_MOST = 63
_TRY_SECONDS = 15.0
_EXISTING = "SELECT datname FROM pg_database WHERE datname = ANY(%s)"
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
_OWNER = "SELECT pg_get_userbyid(datdba), datconnlimit, datacl IS NOT NULL FROM pg_database WHERE datname = %s"
_SETTINGS = """
    SELECT r.rolname, s.setting FROM pg_db_role_setting d
    JOIN pg_database b ON b.oid = d.setdatabase LEFT JOIN pg_roles r ON r.oid = d.setrole,
    unnest(d.setconfig) AS s(setting) WHERE b.datname = %s
"""
_GRANTS = """
    SELECT coalesce(r.rolname, ''), a.privilege_type, a.is_grantable
    FROM pg_database b, aclexplode(b.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE b.datname = %s
"""
_LISTS = frozenset({"search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces"})


def new_name(database: str) -> str:
    return _with(database, "_upkeeper_new")


def old_name(database: str, copy_set: str) -> str:
    """What the database is called that was replaced, by the time in the name of the copy."""
    digits = "".join(each for each in copy_set if each.isdigit())[-14:]
    return _with(database, f"_before_{digits}")


def _with(database: str, end: str) -> str:
    return database.encode()[: _MOST - len(end)].decode(errors="ignore") + end


def is_there(database: Database, name: str, stop: threading.Event) -> bool:
    """Blocks. Raises TaskError."""
    with database.session(_other(database, name)) as connection:
        return bool(_existing(connection, [name]))


def swap(database: Database, name: str, old: str, stop: threading.Event) -> str:
    """Gives the database that was loaded the name of the one in use, which is called ``old`` then; what was done.

    Sessions of it are ended. Done twice, the second changes nothing. Blocks. Raises TaskError, Stopped.
    """
    import psycopg
    from psycopg import sql

    new, end = database.name, time.monotonic() + _TRY_SECONDS
    with database.session(_other(database, name)) as connection:
        there = _existing(connection, [name, new, old])
        if new not in there:
            if name in there and old in there:
                return f"what was there is called {old}"
            raise TaskError(f"the database {new}, which lay ready, is gone; run it again")
        if name in there and old in there:
            raise TaskError(f"there is a database {old} already, as which {name} would be kept")
        if name in there:
            _carry_over(connection, name, new)
        renames = [(name, old), (new, name)] if name in there else [(new, name)]
        while True:
            try:
                for one, _ in renames:
                    connection.execute(_OTHERS, [one])
                with connection.transaction():
                    for one, other in renames:
                        command = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                        connection.execute(command.format(sql.Identifier(one), sql.Identifier(other)))
                return f"what was there is called {old}" if len(renames) > 1 else "there was none"
            except psycopg.errors.ObjectInUse:  # somebody came back at once
                if time.monotonic() > end:
                    raise TaskError(f"sessions of the database {name} come back at once; stop what uses it") from None
            if stop.is_set():
                raise Stopped
            time.sleep(0.05)


def _carry_over(connection: "psycopg.Connection[Any]", name: str, new: str) -> None:
    """Owner, limits, settings and grants of a database itself, which are not in its dump."""
    from psycopg import sql

    to = sql.Identifier(new)
    row = connection.execute(_OWNER, [name]).fetchone()
    assert row is not None
    owner, limit, granted = row
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(to, sql.Identifier(owner)))
    connection.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(to, sql.Literal(limit)))
    for role, setting in connection.execute(_SETTINGS, [name]).fetchall():
        key, _, value = setting.partition("=")
        whose = sql.SQL("ROLE {} IN ").format(sql.Identifier(role)) if role else sql.SQL("")
        parts = [part.strip().strip('"') for part in value.split(",")] if key in _LISTS else [value]
        values = sql.SQL(", ").join(sql.Literal(part) for part in parts)
        given = sql.SQL("ALTER {}DATABASE {} SET {} TO {}")
        connection.execute(given.format(whose, to, sql.Identifier(*key.split(".")), values))
    if granted:
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(to))
    for role, privilege, grantable in connection.execute(_GRANTS, [name]).fetchall():
        if role != owner:
            whom = sql.Identifier(role) if role else sql.SQL("PUBLIC")
            option = sql.SQL(" WITH GRANT OPTION" if grantable else "")
            given = sql.SQL("GRANT {} ON DATABASE {} TO {}{}")
            connection.execute(given.format(sql.SQL(privilege), to, whom, option))


def _existing(connection: "psycopg.Connection[Any]", names: Sequence[str]) -> set[str]:
    return {str(row[0]) for row in connection.execute(_EXISTING, [list(names)])}


def _other(database: Database, name: str) -> str:
    """A database to be connected to that is not the one that is renamed."""
    return database.server.dbname if database.server.dbname != name else "template1"
