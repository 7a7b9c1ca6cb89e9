"""One database of a set into a new database of the server that it came from, or of a newer one of the same name."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from exporter.backups.manifest import SetFile
from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.inventory.postgres import PostgresServer
from exporter.postgres.connect import connection_parameters
from exporter.postgres.session import reason_of
from remediator.model.task import TaskError
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.backup.sources.postgres import clients
from remediator.tasks.backup.sources.postgres.clients import Client
from remediator.tasks.backup.sources.postgres.described import ServerFacts, database_facts, server_facts
from remediator.tasks.backup.sources.postgres.login import environment, explained
from remediator.tasks.restoring.checked import check
from remediator.tasks.restoring.parts import Part, databases
from remediator.tasks.restoring.postgres import create_database, differences, major_of
from remediator.tasks.restoring.sets import ChosenSet

if TYPE_CHECKING:
    import psycopg

_MARK = "upkeeper: being restored from "
_RESTORED = "restored by Upkeeper from "
_MARK_OF = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"


@dataclass(frozen=True)
class Database:
    """A database that is to be made, and what of. Its methods block, and raise TaskError, Damaged, Stopped, OSError."""

    server: PostgresServer
    name: str
    found: ChosenSet
    part: Part
    ours: bool = False
    """Its name is one that only we use: whatever Upkeeper left there of another run may go."""

    @property
    def entry(self) -> SetFile:
        (entry,) = self.part.files(self.found.manifest)
        return entry

    @property
    def facts(self) -> Mapping[str, Any]:
        return databases(self.part.member)[str(self.part.database)]

    def look(self) -> list[str]:
        """What there is to say before it is made. Raises TaskError where it must not, or cannot."""
        with self.session(self.server.dbname) as connection:
            there = server_facts(connection)
            self._client(there)
            notes = []
            there_is = self._state(connection)
            if there_is == "done" and not self.ours:
                raise self._taken()
            if there_is == "unfinished":
                notes.append(f"{self.name} is there, unfinished, from a run that was interrupted: it is made anew.")
            extensions = {str(row[0]) for row in connection.execute("SELECT name FROM pg_available_extensions")}
        missing = [each for each in self.facts.get("extensions", {}) if each not in extensions]
        if missing:
            raise TaskError(f"PostgreSQL {self.server.name} does not have the extension {missing[0]}: install it first")
        strangers = self._strangers(there)
        if strangers:
            notes.append(
                f"{counted(len(strangers), 'role')} of the set are not on the server, such as {strangers[0]}: all will "
                f"belong to {self.server.user}, without grants. To have them, run globals.sql first."
            )
        return notes

    def make(self, stop: threading.Event) -> str:
        """Makes it, loads it, and compares it with what was counted. What there was is gone if any of that fails."""
        check(self.found.directory, self.entry, stop)
        with self.session(self.server.dbname) as connection:
            there = server_facts(connection)
            client = self._client(there)
            before = self._state(connection)
            if before == "done":
                return "it is there"
            if before == "unfinished":
                self._drop(connection)
            create_database(connection, self.name, self.facts)
            self._mark(connection, f"{_MARK}{self.found.digest}")
        try:
            self._load(client, self._strangers(there), stop)
            with self.session(self.name) as connection:
                wrong = differences(self.facts, database_facts(connection), left_out=self._left_out)
            if wrong:
                raise TaskError(f"what was restored is not what was backed up: {wrong[0]}")
        except BaseException:
            with self.session(self.server.dbname) as connection:
                if self._state(connection) == "unfinished":
                    self._drop(connection)
            raise
        with self.session(self.server.dbname) as connection:
            self._mark(connection, self._done)
        return f"{counted(sum(self.facts['rows'].values()), 'row')}, as many as were backed up"

    def discard(self) -> None:
        """Drops what is there of it, which has a name of ours."""
        with self.session(self.server.dbname) as connection:
            if self.ours and self._state(connection) != "absent":
                self._drop(connection)

    @property
    def _left_out(self) -> bool:
        return bool(self.part.member.facts.get("rows_left_out"))

    def _client(self, there: ServerFacts) -> Client:
        """Whose pg_restore reads the dump. Raises TaskError where that, or the server, is older than the dump."""
        was = major_of(self.part.member, "server_version")
        if there.major < was:
            raise TaskError(
                f"the dump is of PostgreSQL {was}, and {self.server.name} is {there.version}: what is newer does "
                f"not go into an older server; restore into PostgreSQL {was}"
            )
        return clients.best(clients.installed(), max(there.major, major_of(self.part.member, "client_version")))

    def _strangers(self, there: ServerFacts) -> Sequence[str]:
        return [str(role) for role in self.part.member.facts.get("roles", []) if role not in there.roles]

    @property
    def _done(self) -> str:
        return f"{_RESTORED}{self.found.name}, {self.part}"

    def _state(self, connection: "psycopg.Connection[Any]") -> Literal["absent", "unfinished", "done"]:
        """What this or an earlier run has made of it, by its comment. Raises TaskError where it is somebody's."""
        row = connection.execute(_MARK_OF, [self.name]).fetchone()
        if row is None:
            return "absent"
        if row[0] == f"{_MARK}{self.found.digest}":
            return "unfinished"
        if row[0] == self._done:
            return "done"
        if self.ours and str(row[0]).startswith((_MARK, _RESTORED)):
            return "unfinished"
        raise self._taken()

    def _taken(self) -> TaskError:
        return TaskError(f"PostgreSQL {self.server.name} has a database {self.name} already; choose another name")

    def _drop(self, connection: "psycopg.Connection[Any]") -> None:
        from psycopg import sql

        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))

    def _mark(self, connection: "psycopg.Connection[Any]", mark: str) -> None:
        from psycopg import sql

        text = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(self.name), sql.Literal(mark))
        connection.execute(text)

    def _load(self, client: Client, strangers: Sequence[str], stop: threading.Event) -> None:
        from psycopg.conninfo import make_conninfo

        command = [
            client.program("pg_restore"),
            "--exit-on-error",
            "--no-tablespaces",
            "--no-password",
            *(("--no-owner", "--no-acl") if strangers else ()),
            f"--dbname={make_conninfo('', dbname=self.name)}",
        ]
        with (
            self.found.content.for_program(self.entry, stop) as file,
            Piped(command, stop, environment=environment(self.server), stdin=file) as program,
        ):
            while program.read(CHUNK):
                pass
            status, said = program.end()
        if status:
            errors = [line.split("error: ", 1)[1] for line in said if "error: " in line]
            why = errors[0] if errors else f"exit status {status}"
            raise TaskError(explained(self.server, f"pg_restore of {self.name}: {why}"))

    @contextmanager
    def session(self, dbname: str) -> "Iterator[psycopg.Connection[Any]]":
        """A connection of the role that the config names, each statement its own transaction. Raises TaskError."""
        import psycopg

        try:
            connection = psycopg.connect(
                **connection_parameters(self.server),
                dbname=dbname,
                autocommit=True,
                application_name="upkeeper restore",
                client_encoding="UTF8",
                gssencmode="disable",
                connect_timeout=30,
                options="-c search_path=pg_catalog -c row_security=off -c statement_timeout=0",
            )
        except psycopg.Error as error:
            reason = reason_of(error).rpartition("FATAL:")[2].strip()
            raise TaskError(explained(self.server, reason)) from None
        except UpkeeperError as error:
            raise TaskError(explained(self.server, str(error))) from None
        try:
            yield connection
        except psycopg.Error as error:
            raise TaskError(explained(self.server, reason_of(error))) from None
        finally:
            connection.close()


def database_of(servers: Mapping[str, PostgresServer], name: str, found: ChosenSet, parts: Sequence[Part]) -> Database:
    """Raises TaskError where the parts are not one database of a server that is configured. Pure."""
    if len(parts) != 1 or parts[0].database is None:
        raise TaskError(
            f"{name!r} is the name of a database, into which one database goes: --only postgres:SERVER/DATABASE; "
            f"a directory has a slash, as in ./{name}"
        )
    server = servers.get(parts[0].member.name)
    if server is None:
        raise TaskError(f"{parts[0].member.name} is no server of `postgres:` any more; restore into a directory")
    if "\0" in name or not 0 < len(name.encode("utf-8", "surrogatepass")) < 64:
        raise TaskError(f"{name!r} cannot be the name of a database: it has 1 to 63 bytes")
    return Database(server, name, found, parts[0])
