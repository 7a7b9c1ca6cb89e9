"""How much a directory of logs holds, read from directory handles: no symlink is followed, no mount is crossed.

A log writer can rename and link as it likes meanwhile; from a handle there is no path to lead astray.
"""

import errno
import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from exporter.base.samemount import OneMount
from exporter.inventory.logs import LogDirectory

MAX_DEPTH = 100
"""Levels below the directory; each costs an open file while the walk is below it."""

_BATCH = 1000
BLOCK_BYTES = 512  # st_blocks counts these, whatever the file system's own block size (stat(2))
OPEN_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
OPEN_BELOW = OPEN_ROOT | os.O_NOFOLLOW
UNREADABLE = {errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}
"""The directory is there and cannot be opened."""
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
"""The directory vanished or was replaced by something else since it was listed."""


class WalkStopped(Exception):
    """The caller asked to stop before the walk was complete."""


class Stop(Protocol):
    """A threading.Event, or something like it."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LogUsage:
    """What the regular files of a log directory amount to: its own, or those of the whole tree if it is recursive."""

    apparent_bytes: int
    """Sum of the files' sizes. Each hard-linked file counts once, here and below."""
    allocated_bytes: int
    """Disk space that the files take up: less than the sizes where they have holes, more by partly filled blocks."""
    files: int
    oldest_unrotated: float | None
    """Unix seconds: the oldest last write to an unrotated, non-empty log."""
    unreadable: int
    """Subdirectories that could not be opened, and so are not counted."""


def name_filter(directory: LogDirectory) -> Callable[[str], bool]:
    """Whether a file of this name is an unrotated log: it matches ``include`` and not ``exclude``."""
    included = re.compile("|".join(map(fnmatch.translate, directory.include)) or r"(?!)").match
    if not directory.exclude:
        return lambda name: included(name) is not None
    excluded = re.compile("|".join(map(fnmatch.translate, directory.exclude))).match
    return lambda name: included(name) is not None and excluded(name) is None


def measure(directory: LogDirectory, stop: Stop | None = None) -> LogUsage:
    """Measures a log directory. Blocks; takes about 2 µs a file when the kernel has the tree in memory.

    The configured path itself may be a symlink. Files that vanish meanwhile are not counted.
    stop: checked about every thousand files. Raises WalkStopped when it is set, and OSError when the directory
    cannot be opened or is nested deeper than MAX_DEPTH.
    """
    with opened(os.open(directory.path, OPEN_ROOT)) as root:
        walk = _Walk(name_filter(directory), OneMount.of(root), stop)
        walk.read(root, directory.recursive, 0)
    return LogUsage(
        apparent_bytes=walk.apparent,
        allocated_bytes=walk.blocks * BLOCK_BYTES,
        files=walk.files,
        oldest_unrotated=None if walk.oldest == float("inf") else walk.oldest,
        unreadable=walk.unreadable,
    )


@contextmanager
def opened(descriptor: int) -> Iterator[int]:
    """Closes the descriptor at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Walk:
    """The sums so far."""

    def __init__(self, unrotated: Callable[[str], bool], mount: OneMount, stop: Stop | None) -> None:
        self.apparent = self.blocks = self.files = self.unreadable = 0
        self.oldest = float("inf")
        self._unrotated = unrotated
        self._mount = mount
        self._stop = stop
        self._linked: set[tuple[int, int]] = set()

    def read(self, handle: int, recursive: bool, depth: int) -> None:
        """Adds what the directory behind the handle holds."""
        if depth > MAX_DEPTH:
            raise OSError(f"directories are nested deeper than {MAX_DEPTH} levels")
        below: list[str] = []
        with os.scandir(handle) as entries:
            while batch := list(islice(entries, _BATCH)):
                if self._stop is not None and self._stop.is_set():
                    raise WalkStopped
                others = self._add_files(batch)
                if recursive:
                    below += [entry.name for entry in others if entry.is_dir(follow_symlinks=False)]
        for name in below:
            self._descend(handle, name, depth)

    def _add_files(self, entries: Iterable[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        """Adds the regular files and returns the other entries.

        This loop runs once a file: local sums, and a name is looked at only where the file's time makes it matter.
        """
        others = []
        apparent = blocks = files = 0
        for entry in entries:
            try:
                if not entry.is_file(follow_symlinks=False):
                    others.append(entry)
                    continue
                stat = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.st_nlink > 1:
                inode = (stat.st_dev, stat.st_ino)
                if inode in self._linked:
                    if stat.st_mtime < self.oldest and stat.st_size and self._unrotated(entry.name):
                        self.oldest = stat.st_mtime
                    continue
                self._linked.add(inode)
            files += 1
            apparent += stat.st_size
            blocks += stat.st_blocks
            if stat.st_mtime < self.oldest and stat.st_size and self._unrotated(entry.name):
                self.oldest = stat.st_mtime
        self.apparent += apparent
        self.blocks += blocks
        self.files += files
        return others

    def _descend(self, handle: int, name: str, depth: int) -> None:
        try:
            descriptor = os.open(name, OPEN_BELOW, dir_fd=handle)
        except OSError as error:
            if error.errno in UNREADABLE:
                self.unreadable += 1
            elif error.errno not in GONE:
                raise
            return
        with opened(descriptor) as child:
            if self._mount.holds(child):
                self.read(child, True, depth + 1)
