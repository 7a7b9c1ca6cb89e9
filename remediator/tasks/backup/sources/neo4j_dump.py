"""Neo4j dumped by ``neo4j-admin`` of the server's own image, while the server stands still."""

import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pydantic import JsonValue

from exporter.backups.manifest import SetFile
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Neo4jDump as Settings
from exporter.inventory.backups import Neo4jSource
from remediator.model.task import TaskError
from remediator.neo4jdump.admin_dump import DumpBroken, DumpStream, DumpUnknown
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.backup.sources.neo4j_admin import Admin, Stored, require_success, stored
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.worker import in_thread

FORM = "dump"
"""In the facts of a member, what tells such files from exports."""
LONG = 86400.0


@dataclass(frozen=True)
class Neo4jDump:
    """Every database of a server but ``system``, or those that are named.

    still: the server stands still already, and whoever stopped it lets it run again.
    """

    source: Neo4jSource
    dump: Settings
    engine: DockerEngine
    containers: Containers
    still: bool = False
    kind: str = "neo4j"

    @property
    def name(self) -> str:
        return self.source.server

    def __str__(self) -> str:
        others = [f"{name} stands still meanwhile" for name in (*self.source.stop, *self.source.pause)]
        return "; ".join([f"Neo4j {self.name}: {self.dump.container} is stopped, dumped and started again", *others])

    async def size(self) -> int | None:
        """What the stores take; a dump is smaller."""
        found = await stored(self.engine, self.dump.container)
        try:
            names = await in_thread(lambda _: self._names(found))
            return await in_thread(lambda _: sum(size for name, size in found.sizes().items() if name in names))
        except OSError as error:
            raise TaskError(f"cannot look at {found.data}: {error.strerror or error}") from None

    async def copy(self, into: Into) -> Copied:
        before = await stored(self.engine, self.dump.container)
        api = await self.engine.patient(LONG, 8).call(lambda client: client)
        version = await in_thread(lambda stop: Admin(api, before).run(["--version"], stop).strip())
        async with AsyncExitStack() as held:
            if not self.still:
                names = [self.dump.container, *self.source.stop]
                await held.enter_async_context(self.containers.still(names, self.source.pause))
            now = await stored(self.engine, self.dump.container)
            if now.running:
                raise TaskError(f"the container {now.name} runs again: something starts it while it is dumped")
            return await in_thread(lambda stop: self._copy(Admin(api, now), version, into, stop))

    def _names(self, found: Stored) -> list[str]:
        there = found.databases()
        missing = [name for name in self.source.databases if name not in there]
        if missing:
            raise TaskError(f"{found.name} has no database {missing[0]!r} to dump; it has: {', '.join(there)}")
        return list(self.source.databases) or there

    def _copy(self, admin: Admin, version: str, into: Into, stop: threading.Event) -> Copied:
        files: list[SetFile] = []
        facts: dict[str, JsonValue] = {}
        for name in self._names(admin.stored):
            file, seen = self._dump(admin, name, into, stop)
            files.append(file)
            facts[name] = {"file": file.path, "store_files": seen.files, "store_bytes": seen.bytes}
        return Copied(files, {"server_version": version, "form": FORM, "databases": facts})

    def _dump(self, admin: Admin, name: str, into: Into, stop: threading.Event) -> tuple[SetFile, DumpStream]:
        arguments = ["database", "dump", "--to-stdout", name]
        seen = DumpStream()
        source = f"{self.kind}:{self.name}/{name}"
        path = f"neo4j/{self.name}/{name}.dump"
        with into.sink(path, source, stop) as sink, admin.begin(arguments, stop) as running:
            try:
                while data := running.read(CHUNK):
                    seen.write(data)
                    sink.write(data)
                require_success(arguments, *running.end())
                seen.finish()
            except (DumpBroken, DumpUnknown) as error:
                raise TaskError(f"what neo4j-admin wrote of {name} {error}") from None
            return sink.done(), seen
