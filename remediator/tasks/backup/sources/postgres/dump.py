"""Runs pg_dump and pg_dumpall. Their files are new ones, readable by their owner only, or go through age."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.backups.manifest import SetFile
from exporter.inventory.postgres import PostgresServer
from remediator.model.task import TaskError
from remediator.tasks.backup.age import Pump
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import SetSink, hashed
from remediator.tasks.backup.sources.postgres.clients import Client
from remediator.tasks.backup.sources.postgres.container import ContainedClient
from remediator.tasks.backup.sources.postgres.described import ServerFacts
from remediator.tasks.backup.sources.postgres.login import explained

_LEVEL = 3
"""Of gzip, which every pg_dump has: twice as fast as its default of 6, and a tenth larger."""
_LOCK_SECONDS = 300
AnyClient = Client | ContainedClient


class Dump:
    """A program that writes to a file of a set.

    It opens the file itself: given as standard output, pg_dump appends to it the table of contents that it means to
    put in place of the first one, so that restores find no offsets (seen with 16 and 18). Through a pipe it does not,
    and restores find none either: they read it from its start.
    """

    def __init__(
        self,
        server: PostgresServer,
        what: str,
        client: AnyClient,
        command: Sequence[str],
        login: Mapping[str, str],
        into: Into,
        path: str,
        source: str,
        stop: threading.Event,
    ) -> None:
        self._server = server
        self._what = what
        self._name = Path(command[0]).name
        self._file = (into.root, path, source, stop)
        self._sink: SetSink | None = None
        self._pump: Pump | None = None
        target = into.root / path
        target.unlink(missing_ok=True)
        to_file = into.writes_files and isinstance(client, Client)
        try:
            self._program = client.run([*command, *([f"--file={target}"] if to_file else [])], login, stop)
        except OSError as error:
            raise TaskError(f"cannot run {command[0]}: {error.strerror or error}") from error
        if not to_file:
            try:
                self._sink = into.sink(path, source, stop)
            except BaseException:
                self._program.__exit__(None, None, None)
                raise
            self._pump = Pump(self._program, self._sink)

    def end(self) -> SetFile:
        """Waits for it: what it wrote, on disk. Raises TaskError."""
        if self._pump is not None:
            self._pump.join()
        status, said = self._program.end()
        if status:
            raise TaskError(explained(self._server, f"{self._name} of {self._what}: {_error(said, status)}"))
        return hashed(*self._file) if self._sink is None else self._sink.done()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.__exit__(kind, error, trace)
        if self._pump is not None and self._sink is not None:
            self._pump.wait()
            self._sink.__exit__(kind, error, trace)


def dump_database(
    server: PostgresServer,
    client: AnyClient,
    login: Mapping[str, str],
    name: str,
    into: Into,
    path: str,
    snapshot: str,
    exclude: Sequence[str],
    stop: threading.Event,
) -> Dump:
    """Dumps what a snapshot holds of a database."""
    from psycopg.conninfo import make_conninfo

    command = [
        client.program("pg_dump"),
        "--format=custom",
        f"--compress={_LEVEL}",
        "--no-password",
        f"--lock-wait-timeout={_LOCK_SECONDS * 1000}",
        f"--snapshot={snapshot}",
        *(f"--exclude-table-data={pattern}" for pattern in exclude),
        f"--dbname={make_conninfo('', dbname=name)}",
    ]
    return Dump(server, f"database {name}", client, command, login, into, path, f"postgres:{server.name}/{name}", stop)


def dump_globals(
    server: PostgresServer,
    client: AnyClient,
    login: Mapping[str, str],
    into: Into,
    path: str,
    facts: ServerFacts,
    stop: threading.Event,
) -> SetFile:
    """Writes roles, their memberships and settings, and tablespaces, as SQL. Raises TaskError."""
    command = [
        client.program("pg_dumpall"),
        "--globals-only",
        "--no-password",
        *(() if facts.superuser else ("--no-role-passwords",)),
        f"--database={server.dbname}",
    ]
    with Dump(server, "roles", client, command, login, into, path, f"postgres:{server.name}", stop) as dump:
        return dump.end()


def _error(said: Sequence[str], status: int) -> str:
    """The first error of the last program that complained: what follows it are consequences and hints."""
    errors = [line.split("error: ", 1)[1] for line in said if "error: " in line]
    if errors:
        return errors[0] if "closed the connection" not in " ".join(said) else f"{errors[0]} (the server went away)"
    return said[-1] if said else f"exit status {status}"
