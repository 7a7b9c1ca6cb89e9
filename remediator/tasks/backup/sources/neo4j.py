"""A Neo4j server as a member of a set: each of its databases exported while it runs.

Always by our own export, also where APOC is installed: APOC's is switched off until the server's own settings allow it,
there is none for every release, and one way that is tested on all of them is enough.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from exporter.backups.manifest import SetFile
from exporter.inventory.backups import Neo4jSource
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j import objects
from exporter.neo4j.driver import Neo4jDriver
from exporter.neo4j.store_sizes import store_sizes
from remediator.model.task import TaskError
from remediator.neo4jdump.export import Exported, export
from remediator.servers.neo4j import CONNECT_SECONDS
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import Compressed
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.worker import in_loop, in_thread

_LOOK_SECONDS = 60.0
_ATTEMPTS = 3
"""How often a database is exported in the hope that nothing is written to it meanwhile."""


@dataclass(frozen=True)
class Neo4j:
    """Every database of a server but ``system``, or those that are named."""

    source: Neo4jSource
    server: Neo4jServer
    containers: Containers
    kind: str = "neo4j"

    @property
    def name(self) -> str:
        return self.source.server

    def __str__(self) -> str:
        named = f": {', '.join(self.source.databases)}" if self.source.databases else ""
        held = [f"{name} stands still meanwhile" for name in (*self.source.stop, *self.source.pause)]
        return "; ".join([f"Neo4j {self.name}{named}", *held])

    async def size(self) -> int | None:
        """What the stores take, where the server's directory is seen; an export is smaller."""

        async def look(_: threading.Event) -> Sequence[str]:
            driver = Neo4jDriver(self.server, CONNECT_SECONDS)
            try:
                return (await self._look(driver))[1]
            finally:
                await driver.discard()

        databases = await in_loop(look)
        directory = self.server.data_directory
        if directory is None:
            return None
        try:
            sizes = await in_thread(lambda _: store_sizes(Path(directory)))
        except OSError:
            return None
        return sum(size for name, (size, _) in sizes.items() if name in databases)

    async def copy(self, into: Into) -> Copied:
        async with self.containers.still(self.source.stop, self.source.pause):
            return await in_loop(lambda stop: self._copy(into, stop))

    async def _look(self, driver: Neo4jDriver) -> tuple[str, Sequence[str]]:
        """The server's version, and the databases to export. Raises UpkeeperError."""
        version, _ = objects.parse_components(
            await driver.rows("system", "CALL dbms.components() YIELD name, versions, edition", _LOOK_SECONDS)
        )
        rows = await driver.rows(
            "system", "SHOW DATABASES YIELD name, type, requestedStatus, currentStatus", _LOOK_SECONDS
        )
        there = {each.name: each for each in objects.parse_databases(rows) if each.kind == "standard"}
        for name in self.source.databases:
            if name not in there:
                raise TaskError(f"Neo4j {self.name} has no database {name!r} to export; it has: {', '.join(there)}")
        chosen = [there[name] for name in self.source.databases or there]
        for each in chosen:
            if not each.online:
                raise TaskError(f"the database {each.name} of Neo4j {self.name} is not online")
        return version or "", [each.name for each in chosen]

    async def _copy(self, into: Into, stop: threading.Event) -> Copied:
        files: list[SetFile] = []
        facts: dict[str, JsonValue] = {}
        moved: list[str] = []
        driver = Neo4jDriver(self.server, CONNECT_SECONDS)
        try:
            version, databases = await self._look(driver)
            for name in databases:
                file, exported = await self._export(driver, version, name, into, stop)
                files.append(file)
                facts[name] = {"file": file.path, **exported.facts()}
                if not exported.one_moment:
                    moved.append(name)
        finally:
            await driver.discard()
        remark = (
            f"{', '.join(moved)} was written to while it was exported: nodes and relationships are of different "
            "moments; name who writes in stop: or pause:"
            if moved
            else ""
        )
        return Copied(files, {"server_version": version, "databases": facts}, remark)

    async def _export(
        self, driver: Neo4jDriver, version: str, name: str, into: Into, stop: threading.Event
    ) -> tuple[SetFile, Exported]:
        path = f"neo4j/{self.name}/{name}.jsonl.zst"
        for attempt in range(_ATTEMPTS):
            with into.sink(path, f"{self.kind}:{self.name}/{name}", stop) as sink:
                packed = Compressed(sink)
                exported = await export(driver, name, version, packed.write)
                packed.finish()
                if exported.one_moment or attempt == _ATTEMPTS - 1:
                    return sink.done(), exported
        raise AssertionError
