"""A PostgreSQL server as a member of a set."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from exporter.backups.manifest import SetFile
from exporter.docker.engine import DockerEngine, DockerUnavailable, EngineRefused
from exporter.inventory.backups import PostgresSource
from exporter.inventory.postgres import PostgresServer
from remediator.model.task import TaskError
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import private_folder
from remediator.tasks.backup.sources.postgres import clients
from remediator.tasks.backup.sources.postgres.container import contained_client
from remediator.tasks.backup.sources.postgres.described import ServerFacts, database_facts, server_facts
from remediator.tasks.backup.sources.postgres.dump import AnyClient, dump_database, dump_globals
from remediator.tasks.backup.sources.postgres.login import environment, session
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.worker import in_thread


@dataclass(frozen=True)
class Postgres:
    """Every database of a server, or those that are named, with roles and tablespaces."""

    source: PostgresSource
    server: PostgresServer
    engine: DockerEngine | None = None
    kind: str = "postgres"

    @property
    def name(self) -> str:
        return self.source.server

    def __str__(self) -> str:
        return f"PostgreSQL {self.name}" + (f": {', '.join(self.source.databases)}" if self.source.databases else "")

    async def size(self) -> int | None:
        """What the databases take on the server's disk; a dump is smaller."""

        facts = await in_thread(self._facts)
        await self._client(facts)
        return sum(facts.databases[name] for name in self._databases(facts))

    async def copy(self, into: Into) -> Copied:
        facts = await in_thread(self._facts)
        client = await self._client(facts)
        return await in_thread(lambda stop: self._copy(into, facts, client, stop))

    async def _client(self, facts: ServerFacts) -> AnyClient:
        """As new as the server: one of this machine, else that of the server's own image. Raises UpkeeperError."""
        try:
            return clients.best(await in_thread(lambda _: clients.installed()), facts.major)
        except TaskError as too_old:
            found = None
            if self.engine is not None:
                with suppress(EngineRefused, DockerUnavailable):
                    found = await contained_client(self.engine, self.server, self.source.container, facts.version)
            if found is None:
                raise TaskError(f"{too_old}; or name the container that serves it in make.postgres") from None
            return found

    def _facts(self, stop: threading.Event) -> ServerFacts:
        with session(self.server, self.server.dbname, stop) as connection:
            return server_facts(connection)

    def _databases(self, facts: ServerFacts) -> Sequence[str]:
        for name in self.source.databases:
            if name not in facts.databases:
                known = ", ".join(facts.databases)
                raise TaskError(f"PostgreSQL {self.name} has no database {name!r} to dump; it has: {known}")
        return self.source.databases or list(facts.databases)

    def _copy(self, into: Into, facts: ServerFacts, client: AnyClient, stop: threading.Event) -> Copied:
        login = environment(self.server)
        folder = f"postgres/{self.name}"
        private_folder(into.root, Path(folder))
        path = f"{folder}/globals.sql"
        files = [dump_globals(self.server, client, login, into, path, facts, stop)]
        databases: dict[str, JsonValue] = {}
        for name in self._databases(facts):
            file, databases[name] = self._database(into, folder, name, client, login, stop)
            files.append(file)
        remark = "" if facts.superuser else f"roles are without their passwords: {self.server.user} is no superuser"
        said: dict[str, JsonValue] = {
            "server_version": facts.version,
            "client_version": client.version,
            "roles": list[JsonValue](facts.roles),
            "role_passwords": facts.superuser,
            "sizes": {name: facts.databases[name] for name in databases},
            "databases": databases,
        }
        if self.source.exclude_tables:
            said["rows_left_out"] = list[JsonValue](self.source.exclude_tables)
        return Copied(files, said, remark)

    def _database(
        self, into: Into, folder: str, name: str, client: AnyClient, login: Mapping[str, str], stop: threading.Event
    ) -> tuple[SetFile, JsonValue]:
        """Its dump, and what it held at that moment."""
        path = f"{folder}/{quote(name, safe='')}.dump"
        with session(self.server, name, stop) as connection:
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
            assert row is not None
            with dump_database(
                self.server, client, login, name, into, path, str(row[0]), self.source.exclude_tables, stop
            ) as dump:
                found = database_facts(connection)  # counted while it is dumped, in the same snapshot
                file = dump.end()
        return file, {"file": file.path, **found}
