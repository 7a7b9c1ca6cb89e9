"""Files and directories of this machine, in one archive."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remediator.model.task import TaskError
from remediator.tasks.backup.archive import archive
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.worker import in_thread


@dataclass(frozen=True)
class Files:
    """All paths below ``files:``."""

    paths: Sequence[str]
    name: str = "files"
    kind: str = "files"

    def __str__(self) -> str:
        return ", ".join(self.paths)

    async def size(self) -> int | None:
        self._require()
        return await in_thread(lambda stop: sum(disk_size(path, stop.is_set) for path in self.paths))

    async def copy(self, into: Into) -> Copied:
        self._require()
        below = [path.strip("/") or "." for path in self.paths]
        copied = await in_thread(lambda stop: archive("/", below, into, "files.tar.zst", "files", stop))
        return Copied(copied.files, {**copied.facts, "paths": list(self.paths)}, copied.remark)

    def _require(self) -> None:
        for path in self.paths:
            if not os.path.lexists(path):
                raise TaskError(f"{path} is not there; correct or remove it in make.files")


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
