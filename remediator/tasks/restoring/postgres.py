"""Dumps of a PostgreSQL server, loaded into another one, and what is there then compared with what was backed up."""

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.backups.manifest import Manifest, Member, SetFile
from exporter.base.text import counted
from exporter.postgres.session import reason_of
from remediator.model.task import TaskError
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.backup.sources.postgres.described import database_facts, server_facts
from remediator.tasks.restoring.checked import SetFiles, check
from remediator.tasks.restoring.parts import databases
from remediator.tasks.restoring.postgres_server import Server, running, server_programs

if TYPE_CHECKING:
    import psycopg

LIMIT_SECONDS = 12 * 3600.0
"""One pg_restore may take this long: some have been seen not to end at all."""
_COMPARED = ("encoding", "large_objects", "sequences")
_PROPERTIES = {"encoding": "UTF8", "collate": "C", "ctype": "C"}
_TABLESPACE = re.compile(r"^(CREATE|ALTER|DROP|COMMENT ON) TABLESPACE |^(GRANT|REVOKE) .* ON TABLESPACE ", re.I)


class NotRestored(Exception):
    """What was restored is not what was backed up, or could not be loaded. One line for people."""


def restore_server(
    content: SetFiles,
    manifest: Manifest,
    member: Member,
    into: Path,
    stop: threading.Event,
    limit: float = LIMIT_SECONDS,
) -> str:
    """Loads all of a server into a new one in a directory, and compares; what was found, for people. Blocks.

    Raises NotRestored, Damaged, Stopped, OSError; TaskError where it cannot be told, for want of what is not installed.
    """
    import psycopg

    files = {file.path: file for file in manifest.files}
    for path in member.files:
        check(content.directory, files[path], stop)
    programs = server_programs(major_of(member, "client_version"))
    roles = [str(role) for role in member.facts.get("roles", [])]
    try:
        with running(programs, into, _free_name(roles), stop) as server:
            _load_roles(server, content, files[member.files[0]], roles, stop)
            total = 0
            for name, facts in databases(member).items():
                found = _load(server, content, files[str(facts["file"])], name, facts, stop, limit)
                left_out = bool(member.facts.get("rows_left_out"))
                wrong = differences(facts, found, left_out=left_out)
                if wrong:
                    raise NotRestored(f"database {name}: {wrong[0]}")
                total += sum(found["rows"].values())
    except psycopg.Error as error:
        raise NotRestored(f"the restored server says: {reason_of(error)}") from None
    loaded = counted(len(databases(member)), "database")
    return f"{loaded}, {counted(total, 'row')}, {counted(len(roles), 'role')} in PostgreSQL {programs.version}"


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], *, left_out: bool = False) -> list[str]:
    """What of a restored database is not as it was; each for people. Pure.

    left_out: rows of some tables were not dumped, so a table may be empty. Counts of objects are compared only where
    each extension is of the same version, for they come with it.
    """
    wrong: list[str] = []
    extensions, there = wanted.get("extensions", {}), found.get("extensions", {})
    wrong += [f"the extension {name} is missing" for name in extensions if name not in there]
    for table, rows in wanted.get("rows", {}).items():
        has = found["rows"].get(table)
        if has is None:
            wrong.append(f"the table {table} is missing")
        elif has != rows and not (left_out and has == 0):
            wrong.append(f"{table} has {counted(has, 'row')}, where {rows} were backed up")
    wrong += [f"there is a table {table} that was not there" for table in found["rows"] if table not in wanted["rows"]]
    if extensions == there:
        kinds = sorted({*wanted.get("objects", {}), *found["objects"]})
        for kind in kinds:
            was, now = wanted.get("objects", {}).get(kind, 0), found["objects"].get(kind, 0)
            if was != now:
                wrong.append(f"it has {now} {kind.replace('_', ' ')}, where {was} were backed up")
    for key in _COMPARED:
        if key in wanted and wanted[key] != found[key]:
            wrong.append(f"{key.replace('_', ' ')}: {found[key]!r}, where it was {wanted[key]!r}"[:300])
    return wrong


def roles_of(script: str) -> str:
    """What of a script of pg_dumpall's makes roles: no tablespaces, whose places may be those of a living server, and
    no commands to psql itself. Pure.
    """
    lines = script.split("\n")
    return "\n".join(line for line in lines if not line.startswith("\\") and not _TABLESPACE.match(line))


def _load_roles(server: Server, content: SetFiles, entry: SetFile, roles: Sequence[str], stop: threading.Event) -> None:
    import tempfile

    with content.content(entry, stop) as file:
        script = roles_of(b"".join(iter(lambda: file.read(CHUNK), b"")).decode("utf-8", "surrogateescape"))
    with tempfile.TemporaryFile() as quiet:
        quiet.write(script.encode("utf-8", "surrogateescape"))
        quiet.seek(0)
        arguments = ["--no-psqlrc", "--quiet", "--output=/dev/null"]
        _, said = server.run("psql", arguments, quiet, stop, 600.0)
    with server.session("template1") as connection:
        there = server_facts(connection).roles
    missing = [role for role in roles if role not in there]
    if missing:
        errors = [line for line in said if "ERROR" in line]
        raise NotRestored(f"the role {missing[0]} cannot be made{': ' + errors[0] if errors else ''}")


def _load(
    server: Server,
    content: SetFiles,
    entry: SetFile,
    name: str,
    facts: Mapping[str, Any],
    stop: threading.Event,
    limit: float,
) -> dict[str, Any]:
    """Loads one database; what it then holds."""
    with server.session("template1") as connection:
        _require_extensions(connection, facts, name)
        remark = _create(connection, name, facts)
    with content.for_program(entry, stop) as file:
        from psycopg.conninfo import make_conninfo

        arguments = ["--exit-on-error", "--no-tablespaces", f"--dbname={make_conninfo('', dbname=name)}"]
        status, said = server.run("pg_restore", arguments, file, stop, limit)
    if status:
        reason = next((line.split("error: ", 1)[1] for line in said if "error: " in line), f"exit status {status}")
        if remark:
            raise TaskError(f"database {name} cannot be restored here, {remark}: {reason}")
        raise NotRestored(f"database {name}: pg_restore: {reason}")
    with server.session(name) as connection:
        return database_facts(connection)


def _require_extensions(connection: "psycopg.Connection[Any]", facts: Mapping[str, Any], name: str) -> None:
    there = {str(row[0]) for row in connection.execute("SELECT name FROM pg_available_extensions")}
    missing = [extension for extension in facts.get("extensions", {}) if extension not in there]
    if missing:
        version = connection.info.server_version // 10000
        raise TaskError(
            f"database {name} needs the extension {missing[0]}, which is not installed for PostgreSQL {version} here: "
            "install it, or prove no more than readable"
        )


def _create(connection: "psycopg.Connection[Any]", name: str, facts: Mapping[str, Any]) -> str:
    """Makes a database; a remark where it cannot sort as it did. An empty one of the name, made by initdb, goes."""
    import psycopg
    from psycopg import sql

    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    try:
        create_database(connection, name, facts)
    except psycopg.Error:
        create_database(connection, name, {**facts, "collate": "C", "ctype": "C"})
        return f"where the locale {facts.get('collate')} is not installed"
    return ""


def create_database(connection: "psycopg.Connection[Any]", name: str, facts: Mapping[str, Any]) -> None:
    """An empty one with the encoding and locale that were written down. Raises psycopg.Error."""
    from psycopg import sql

    made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}")

    given = [str(facts.get(key) or default) for key, default in _PROPERTIES.items()]
    connection.execute(made.format(sql.Identifier(name), *map(sql.Literal, given)))


def major_of(member: Member, key: str) -> int:
    """Of a version that the backup wrote down. Raises TaskError where it did not. Pure."""
    try:
        return int(str(member.facts[key]).split(".")[0])
    except (KeyError, ValueError):
        raise TaskError(f"the set does not say which PostgreSQL dumped {member.name}") from None


def _free_name(roles: Sequence[str]) -> str:
    name = "upkeeper_scratch"
    while name in roles:
        name += "_"
    return name
