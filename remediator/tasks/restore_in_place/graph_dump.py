"""A dump of ``neo4j-admin`` that takes the place of a database of a server that stands still.

``load`` of a dump that is not whole destroys what is there, and so does one beside a running server. So it is loaded
into a volume of its own first, and checked there; and the server must not run.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.backups.manifest import SetFile
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Make
from remediator.model.task import TaskError
from remediator.neo4jdump.admin_dump import DumpBroken, DumpStream, DumpUnknown
from remediator.tasks.backup.contained import LABELS
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.backup.sources.neo4j_admin import Admin, stored
from remediator.tasks.backup.sources.neo4j_dump import LONG
from remediator.tasks.restoring.checked import Damaged, SetFiles
from remediator.tasks.restoring.parts import Part, databases
from remediator.tasks.restoring.sets import ChosenSet


@dataclass(frozen=True)
class GraphDump:
    """One database. version: of the server that it was dumped from. Its methods block, and raise TaskError, Damaged,
    OSError, Stopped.
    """

    admin: Admin
    name: str
    version: str
    content: SetFiles
    entry: SetFile

    def read(self, stop: threading.Event) -> None:
        """All of it, without a server."""
        seen = DumpStream()
        try:
            for piece in self._pieces(stop):
                seen.write(piece)
            seen.finish()
        except (DumpBroken, DumpUnknown) as error:
            raise Damaged(f"{self.entry.path} {error}") from None

    def try_it(self, stop: threading.Event) -> None:
        """Loads it into a volume of its own, where its store is checked, and which is gone then."""
        self.read(stop)
        version = self.admin.run(["--version"], stop).strip()
        if _release(version) < _release(self.version):  # 2026.08 does not open what 2026.09 has opened once
            raise TaskError(
                f"the dump is of Neo4j {self.version}, and {self.admin.stored.name} is {version}: what is newer does "
                f"not go into an older server; restore into Neo4j {self.version}"
            )
        with self._volume() as volume:
            self.admin.run(["database", "load", "--from-stdin", self.name], stop, self._pieces(stop), volume)
            self.admin.run(["database", "check", self.name], stop, None, volume)

    def load(self, stop: threading.Event) -> str:
        """In place of what is there; what there is to say of it. Done twice, it is loaded twice."""
        state = self.admin.api.inspect_container(self.admin.stored.id)["State"]
        if state["Running"]:
            raise TaskError(f"the container {self.admin.stored.name} runs: a dump is never loaded beside a server")
        arguments = ["database", "load", "--from-stdin", "--overwrite-destination=true", self.name]
        self.admin.run(arguments, stop, self._pieces(stop))
        return f"{self.name} is as it was dumped"

    def _pieces(self, stop: threading.Event) -> Iterator[bytes]:
        with self.content.content(self.entry, stop) as file:
            while data := file.read(CHUNK):
                yield data

    @contextmanager
    def _volume(self) -> Iterator[str]:
        """An empty one, that belongs to whom the server's data belongs to; those of a run that was killed go first."""
        api = self.admin.api
        left: Any = api.volumes(
            filters={"dangling": True, "label": [f"{key}={value}" for key, value in LABELS.items()]}
        )
        for each in left.get("Volumes") or []:
            with suppress(OSError):
                api.remove_volume(each["Name"])
        name = f"upkeeper-trial-{secrets.token_hex(4)}"
        made = api.create_volume(name, driver="local", labels=LABELS)
        try:
            uid, _, gid = self.admin.stored.user.partition(":")
            os.chown(Path(made["Mountpoint"]), int(uid), int(gid))
            yield name
        finally:
            api.remove_volume(name, force=True)


def _release(version: str) -> tuple[int, ...]:
    """``5.26.19`` as 5 and 26."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])


async def graph_dumps(engine: DockerEngine, make: Make, found: ChosenSet, part: Part) -> list[GraphDump]:
    """The databases of a part, as what goes into the container that the config names. Raises UpkeeperError."""
    source = next((each for each in make.neo4j if each.server == part.member.name and each.dump is not None), None)
    if source is None or source.dump is None:
        raise TaskError(f"{part} is dumped by neo4j-admin: name the server's container in make.neo4j[].dump")
    at = await stored(engine, source.dump.container)
    api = await engine.patient(LONG, 8).call(lambda client: client)
    entries = {file.path: file for file in found.manifest.files}
    version = str(part.member.facts.get("server_version", ""))
    return [
        GraphDump(Admin(api, at), name, version, found.content, entries[str(facts["file"])])
        for name, facts in databases(part.member).items()
        if part.database in (None, name)
    ]
