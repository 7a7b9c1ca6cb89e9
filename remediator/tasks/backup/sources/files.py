"""Files and directories of this machine, in one archive."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from exporter.base.errors import UpkeeperError
from exporter.docker.engine import DockerEngine
from exporter.findings.project import Project
from remediator.model.task import TaskError
from remediator.tasks.backup.archive import archive
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup.sources.compose import described, read_compose
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.worker import in_thread


@dataclass(frozen=True)
class Files:
    """All paths below ``files:``, and the files of a Compose project."""

    paths: Sequence[str]
    compose: str | None = None
    """Its first file."""
    engine: DockerEngine | None = None
    """Of that project."""
    config: str | None = None
    """Upkeeper's own config, which goes with them: what a restore on another machine begins with."""
    name: str = "files"
    kind: str = "files"

    def __str__(self) -> str:
        project = [f"the Compose project of {self.compose}"] if self.compose is not None else []
        return ", ".join([*self.paths, *project])

    async def size(self) -> int | None:
        self._require()
        paths = (await self._all())[0]
        return await in_thread(lambda stop: sum(disk_size(path, stop.is_set) for path in paths))

    async def copy(self, into: Into) -> Copied:
        self._require()
        paths, project = await self._all()
        config = await in_thread(lambda _: self._config())
        more = [path for path in config if not _is_below(path, paths)]
        below = [path.strip("/") or "." for path in (*paths, *more)]
        copied = await in_thread(lambda stop: archive("/", below, into, "files.tar.zst", "files", stop))
        facts: dict[str, JsonValue] = {**copied.facts, "paths": list[JsonValue](paths)}
        if config:
            facts["config"] = config[0]
        if self.compose is not None:
            facts["compose_file"] = self.compose  # also where no engine answers
        remarks = [copied.remark]
        if project is not None and self.engine is not None:
            remarks += project.unread
            try:
                facts["compose"] = await described(project, self.engine)
            except UpkeeperError as error:
                remarks.append(f"the images of the Compose project are not written down: {error}")
        return Copied(copied.files, facts, "; ".join(filter(None, remarks)))

    def _config(self) -> list[str]:
        """Upkeeper's config, where it is there, and what it is a link to. Blocks."""
        if self.config is None or not Path(self.config).exists():
            return []
        return list(dict.fromkeys([self.config, os.path.realpath(self.config)]))

    async def _all(self) -> tuple[Sequence[str], Project | None]:
        """Every path, none of them below another one, and the project."""
        if self.compose is None:
            return self.paths, None
        file = self.compose
        project, found = await in_thread(lambda _: read_compose(file))
        roots = [path.rstrip("/") for path in self.paths]
        more = [path for path in found if not any(path == root or path.startswith(f"{root}/") for root in roots)]
        return [*self.paths, *more], project

    def _require(self) -> None:
        for path in self.paths:
            if not os.path.lexists(path):
                raise TaskError(f"{path} is not there; correct or remove it in make.files")


def _is_below(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)


def disk_size(path: str, stopped: Callable[[], bool]) -> int:
    """Bytes that a file, or all below a directory, take on disk; what cannot be read is left out. Blocks."""
    total = 0
    pending = [path]
    while pending:
        if stopped():
            raise Stopped
        each = pending.pop()
        try:
            at = os.lstat(each)
            total += at.st_blocks * 512
            if stat.S_ISDIR(at.st_mode):
                pending += [entry.path for entry in os.scandir(each)]
        except OSError:
            continue
    return total
