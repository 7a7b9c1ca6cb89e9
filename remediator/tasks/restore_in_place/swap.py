"""Puts new content in the place of what is there, in one step: two names of a directory are exchanged.

The new content lies ready beside the place under a name of ours, and after the exchange the former one has that name.
Which of the two it is, is told by the inode that was noted when it was made ready.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exporter.backups.manifest import SetFile
from remediator.files.linux import exchange, rename_to_free, sync_file_system
from remediator.model.task import TaskError
from remediator.tasks.restoring.archive import remove

_READY = ".upkeeper-restoring-"
_WORK = ".upkeeper-unpacking-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Place:
    """A file or directory that is replaced as a whole. Its methods block, and raise OSError and TaskError."""

    target: Path
    entry: SetFile
    """The file of the set that holds it."""
    inside: str | None = None
    """Its path in an archive; None where it is all of the archive, or the file itself."""

    @property
    def ready(self) -> Path:
        return self.target.with_name(f"{_READY}{self.target.name}")

    @property
    def _work(self) -> Path:
        return self.target.with_name(f"{_WORK}{self.target.name}")

    def require_replaceable(self) -> None:
        """Raises TaskError where it cannot be exchanged."""
        if not self.target.parent.is_dir():
            raise TaskError(f"{self.target.parent} is not there: make it, or restore into a directory")
        if os.path.realpath(self.target.parent) != os.path.normpath(self.target.parent):
            raise TaskError(f"{self.target.parent} is reached through a symbolic link; restore into a directory")
        if os.path.ismount(self.target):
            raise TaskError(f"{self.target} is a mount, which cannot be replaced; restore into a directory and copy it")

    def prepare(self, fill: Callable[[Path], None]) -> int:
        """Makes the new content ready; the inode by which it is known. fill: puts it at a path where nothing is."""
        remove(self.ready)
        fill(self.ready)
        sync_file_system(str(self.target.parent))  # or a power cut after the exchange would leave empty files there
        return self.ready.lstat().st_ino

    def unpacked(self, unpack: Callable[[Path], object]) -> Callable[[Path], None]:
        """A ``fill`` by what unpacks ``inside`` into a directory."""

        def fill(ready: Path) -> None:
            if self.inside is None:
                ready.mkdir(mode=0o700)
                unpack(ready)
                return
            work = self._work
            remove(work)
            work.mkdir(mode=0o700)
            try:
                unpack(work)
                (work / self.inside).rename(ready)
            finally:
                remove(work)

        return fill

    def is_swapped(self, inode: int) -> bool:
        try:
            return self.target.lstat().st_ino == inode
        except FileNotFoundError:
            return False

    def swap(self, inode: int) -> None:
        """Once it is done, doing it again changes nothing."""
        if self.is_swapped(inode):
            return
        if not os.path.lexists(self.ready) or self.ready.lstat().st_ino != inode:
            raise TaskError(f"{self.ready} is gone, which lay ready to replace {self.target}; run it again")
        folder = os.open(self.target.parent, _FOLDER)
        try:
            if os.path.lexists(self.target):
                done = exchange(folder, self.ready.name, self.target.name)
            else:
                done = rename_to_free(folder, self.ready.name, self.target.name)
            if not done:
                raise TaskError(f"the file system of {self.target} cannot exchange names; restore into a directory")
            os.fsync(folder)
        finally:
            os.close(folder)

    def clear(self) -> None:
        """What has a name of ours goes: the former content, or what lay ready or was being unpacked."""
        remove(self.ready)
        remove(self._work)
