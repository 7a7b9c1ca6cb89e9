"""A database of Neo4j that is filled from a set: on another server, whose database is empty, or in place."""

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from exporter.backups.manifest import SetFile
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j import objects
from exporter.neo4j.driver import Neo4jDriver, Neo4jRefused
from remediator.model.task import TaskError
from remediator.neo4jdump import replace
from remediator.neo4jdump.lines import ExportBroken, ExportStream
from remediator.servers.neo4j import CONNECT_SECONDS
from remediator.tasks.backup.sink import CHUNK, Stopped
from remediator.tasks.backup.sources.neo4j_dump import FORM
from remediator.tasks.restoring.checked import Damaged, SetFiles
from remediator.tasks.restoring.parts import Part, databases
from remediator.tasks.restoring.sets import ChosenSet

_T = TypeVar("_T")
_LOOK_SECONDS = 0.2
_COUNT_SECONDS = 600.0


@dataclass(frozen=True)
class Graph:
    """An export of a set, and where it goes. Its methods block, and raise UpkeeperError, Damaged, OSError.

    name: of the database in the set, which is taken on the server too where there is one; else the only one there is.
    facts: what was counted at the backup. version: of the server that it was exported from. scratch: a directory for
    a file of 8 bytes a node.
    """

    server: Neo4jServer
    name: str
    content: SetFiles
    entry: SetFile
    facts: Mapping[str, Any]
    version: str
    scratch: Path

    def look(self, stop: threading.Event, *, replaces: bool) -> str:
        """The database that it goes into. Raises TaskError where it must not, or cannot.

        replaces: what is there may be replaced; else only an empty database is filled.
        """

        async def asked(driver: Neo4jDriver) -> str:
            _, database = await self._into(driver)
            if not replaces and await replace.state(driver, database) == "filled":
                raise TaskError(
                    f"the database {database} of Neo4j {self.server.name} is not empty: name a server whose is, or "
                    "restore it in place, without --to"
                )
            return database

        return _within(self.server, stop, asked)

    def read(self, stop: threading.Event) -> None:
        """All of it, without a server: it is whole, and holds what was counted."""
        stream = ExportStream()
        try:
            for piece in self._pieces(stop):
                for _ in stream.lines(piece):
                    pass
            stream.finish()
        except ExportBroken as error:
            raise Damaged(f"{self.entry.path} {error}") from None
        for key, found in stream.counts.facts().items():
            if self.facts.get(key, found) != found:
                raise Damaged(f"{self.entry.path} has {key} {found}, where {self.facts[key]} were backed up"[:300])

    def fill(self, stop: threading.Event, *, replaces: bool, for_trial: bool = False) -> str:
        """Loads it, and compares; what is there then, for people. Done twice, the second time does it anew.

        for_trial: all of it goes again with ``discard``.
        """

        async def filled(driver: Neo4jDriver) -> str:
            version, database = await self._into(driver)
            pieces = self._pieces(stop)
            if not replaces and await replace.state(driver, database) == "filled":
                if await replace.differences(driver, database, version, self.facts, pieces):
                    raise TaskError(f"the database {database} of Neo4j {self.server.name} is not empty")
                return "it is there"
            said = await replace.fill(driver, database, version, pieces, self.facts, self.scratch, keep_mark=for_trial)
            return f"{said} in Neo4j {version}"

        try:
            return _within(self.server, stop, filled)
        except ExportBroken as error:
            raise Damaged(f"{self.entry.path} {error}") from None

    def discard(self, stop: threading.Event) -> None:
        """Empties the database again, if it holds what was loaded for a trial, or what is left of that."""

        async def emptied(driver: Neo4jDriver) -> None:
            await replace.discard(driver, (await self._into(driver))[1])

        _within(self.server, stop, emptied)

    async def _into(self, driver: Neo4jDriver) -> tuple[str, str]:
        """The server's version, and the database that it goes into."""
        components = await driver.rows("system", "CALL dbms.components() YIELD name, versions, edition", 60.0)
        version = objects.parse_components(components)[0] or ""
        if _major(version) < _major(self.version):
            raise TaskError(
                f"the export is of Neo4j {self.version}, and {self.server.name} is {version}: what is newer does not "
                f"go into an older server; restore into Neo4j {self.version}"
            )
        rows = await driver.rows("system", "SHOW DATABASES YIELD name, type, requestedStatus, currentStatus", 60.0)
        there = [each for each in objects.parse_databases(rows) if each.kind == "standard"]
        chosen = next((each for each in there if each.name == self.name), there[0] if len(there) == 1 else None)
        if chosen is None:
            raise TaskError(f"Neo4j {self.server.name} has no database {self.name}: create it first")
        if not chosen.online:
            raise TaskError(f"the database {chosen.name} of Neo4j {self.server.name} is not online")
        return version, chosen.name

    def _pieces(self, stop: threading.Event) -> Iterator[bytes]:
        import zstandard

        with self.content.content(self.entry, stop) as file:
            frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                while data := file.read(CHUNK):
                    if stop.is_set():
                        raise Stopped
                    yield frame.decompress(data)
            except zstandard.ZstdError as error:
                raise Damaged(f"{self.entry.path} cannot be unpacked: {error}") from None
            if not frame.eof:
                raise Damaged(f"{self.entry.path} ends early")


def graphs_of(server: Neo4jServer, found: ChosenSet, part: Part, scratch: Path) -> list[Graph]:
    """The databases of a part, as what goes into a server. Raises TaskError where they are no exports. Pure."""
    if part.member.facts.get("form") == FORM:
        raise TaskError(
            f"{part} is dumped by neo4j-admin, and goes into no server that runs: restore it in place, or into a "
            "directory"
        )
    entries = {file.path: file for file in found.manifest.files}
    version = str(part.member.facts.get("server_version", ""))
    return [
        Graph(server, name, found.content, entries[str(facts["file"])], facts, version, scratch)
        for name, facts in databases(part.member).items()
        if part.database in (None, name)
    ]


def graphs_into(servers: Mapping[str, Neo4jServer], name: str, found: ChosenSet, parts: Sequence[Part]) -> list[Graph]:
    """The same for parts that go into another server of the config. Raises TaskError where there is none. Pure."""
    server = servers.get(name)
    if server is None:
        raise TaskError(
            f"{name!r} is no server of `neo4j:`, into whose empty database Neo4j is restored; a directory has a slash, "
            f"as in ./{name}"
        )
    return [graph for part in parts for graph in graphs_of(server, found, part, Path(tempfile.gettempdir()))]


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isdigit() else 0


def answers(server: Neo4jServer, stop: threading.Event) -> None:
    """Blocks. Raises Neo4jUnavailable, Neo4jRefused while not all of a server's databases can be worked with."""

    async def asked(driver: Neo4jDriver) -> None:
        rows = await driver.rows("system", "SHOW DATABASES YIELD name, type, requestedStatus, currentStatus", 60.0)
        for each in objects.parse_databases(rows):
            if not each.online:
                raise Neo4jRefused(f"the database {each.name} is not online")

    _within(server, stop, asked)


def sizes(server: Neo4jServer, database: str, stop: threading.Event) -> tuple[int, int]:
    """How many nodes and relationships a database has. Blocks. Raises as answers does."""

    async def asked(driver: Neo4jDriver) -> tuple[int, int]:
        (nodes,) = await driver.rows(database, "MATCH (n) RETURN count(n) AS found", _COUNT_SECONDS)
        (edges,) = await driver.rows(database, "MATCH ()-[r]->() RETURN count(r) AS found", _COUNT_SECONDS)
        return int(nodes["found"]), int(edges["found"])

    return _within(server, stop, asked)


def _within(server: Neo4jServer, stop: threading.Event, work: Callable[[Neo4jDriver], Awaitable[_T]]) -> _T:
    """In a loop of its own, ended when it is told to stop."""

    async def done() -> _T:
        driver = Neo4jDriver(server, CONNECT_SECONDS)
        try:
            return await work(driver)
        finally:
            await driver.discard()

    async def watched() -> _T:
        task = asyncio.ensure_future(done())
        while not (await asyncio.wait([task], timeout=_LOOK_SECONDS))[0]:
            if stop.is_set():
                task.cancel()
        return task.result()

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise Stopped from None
