"""Docker volumes: all that is below one, read where the engine keeps it."""

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.docker.engine import DockerEngine, EngineRefused, is_gone
from exporter.inventory.backups import VolumeSource
from remediator.model.task import TaskError
from remediator.tasks.backup.archive import archive
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sources.files import disk_size
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.backup.sources.sqlite import copy_database
from remediator.tasks.worker import in_thread


@dataclass(frozen=True)
class Volume:
    """A volume as an archive."""

    source: VolumeSource
    engine: DockerEngine
    containers: Containers
    kind: str = "volumes"

    @property
    def name(self) -> str:
        return self.source.name

    def __str__(self) -> str:
        held = [f"{name} stands still meanwhile" for name in (*self.source.stop, *self.source.pause)]
        return "; ".join([f"volume {self.name}", *held])

    async def size(self) -> int | None:
        root = await mount_point(self.engine, self.name)
        return await in_thread(lambda stop: disk_size(root, stop.is_set))

    async def copy(self, into: Into) -> Copied:
        root = await mount_point(self.engine, self.name)
        path = f"volumes/{self.name}.tar.zst"
        async with self._still():
            return await in_thread(lambda stop: archive(root, ["."], into, path, f"volume:{self.name}", stop))

    def _still(self) -> AbstractAsyncContextManager[None]:
        return self.containers.still(self.source.stop, self.source.pause)


@dataclass(frozen=True)
class SqliteInVolume:
    """A SQLite database in a volume, copied through SQLite."""

    name: str
    volume: str
    file: str
    engine: DockerEngine
    kind: str = "sqlite"

    def __str__(self) -> str:
        return f"SQLite database {self.file} in the volume {self.volume}"

    async def size(self) -> int | None:
        path = await self._path()
        return (await in_thread(lambda _: Path(path).stat())).st_size

    async def copy(self, into: Into) -> Copied:
        path = await self._path()
        return await in_thread(lambda stop: copy_database(path, into, self.name, stop))

    async def _path(self) -> str:
        """Where it is. Raises TaskError where it is not there, or leads out of the volume: that is for no container."""
        root = await mount_point(self.engine, self.volume)
        path = os.path.join(root, self.file)  # noqa: PTH118 - compared with what realpath says
        if not await in_thread(lambda _: os.path.realpath(path) == path and Path(path).is_file()):
            raise TaskError(f"the volume {self.volume} has no file {self.file}; correct it in make.sqlite[{self.name}]")
        return path


async def mount_point(engine: DockerEngine, name: str) -> str:
    """Where the engine keeps a volume of this machine. Raises UpkeeperError."""
    try:
        found: Mapping[str, Any] = await engine.call(lambda client: client.inspect_volume(name))
    except EngineRefused as error:
        if is_gone(error):
            raise TaskError(f"there is no volume {name}; correct its name in make:") from None
        raise
    root = str(found["Mountpoint"])
    if engine.socket is None:
        raise TaskError(f"the volume {name} is on another machine's engine; back it up there")
    if found.get("Driver") != "local":
        raise TaskError(f"the volume {name} is of the driver {found.get('Driver')}, of which no files are seen here")
    try:
        real, readable = await in_thread(lambda _: (os.path.realpath(root), os.access(root, os.R_OK | os.X_OK)))
    except OSError as error:
        raise TaskError(f"cannot look at {root}: {error.strerror}") from error
    if not readable:
        raise TaskError(f"{root}, where the volume {name} is, cannot be read: the backup of volumes needs root")
    return real
