"""Room that is kept for the worst moment: a file that holds blocks, and empty files that hold inodes.

When a write finds the disk full, some of it is given back and the write is tried again; it is laid anew once there is
room. Half of what is left is given each time, so that a program that goes on filling the disk does not get all at once.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import structlog

from exporter.base.units import format_bytes
from remediator.model.errors import NoRoom
from remediator.store.extents import shared_blocks
from remediator.store.room import IN_PLACE, explained, mounted_at, shortage

T = TypeVar("T")

log = structlog.get_logger(__name__)

FILE = "ballast"
INODES = "ballast.inodes"

MOST = 64 * 1024 * 1024
LEAST = 8 * 1024 * 1024
"""What one alert's whole way writes: the write-ahead log grows to 4 MiB before it begins anew, the database after it."""
FILES = 32
"""Inodes: the database's two files beside it, a file that is replaced, one that is compressed; and as many again."""

_SMALL = 1024 * 1024
"""Bytes below which the rest is given at once."""


@dataclass(frozen=True)
class Held:
    """What there is of it. size: the file's, in bytes; blocks: the bytes that the file system says it takes."""

    size: int = 0
    blocks: int = 0
    inodes: int = 0


@dataclass(frozen=True)
class Standing:
    """How it stands. bytes, inodes: what would be given back; of each as much is wanted.

    lacks: why it is not whole, as far as known; doubt: why it may not help although it is.
    """

    bytes: int = 0
    inodes: int = 0
    wanted_bytes: int = 0
    wanted_inodes: int = 0
    lacks: str = ""
    doubt: str = ""

    @property
    def whole(self) -> bool:
        return self.bytes >= self.wanted_bytes and self.inodes >= self.wanted_inodes


def default_size(total: int) -> int:
    """Bytes for a file system of this size: a hundredth, between 8 and 64 MiB, and an eighth at most. Pure."""
    return min(max(LEAST, min(MOST, total // 100)), total // 8)


def doubt(fstype: str, size: int, allocated: int, *, shared: bool) -> str:
    """Why a file of this size that was preallocated may give back less than it holds; empty where it gives it all. Pure.

    allocated: bytes that the file system says it takes. shared: whether another file, or a snapshot, has its blocks too.
    """
    kind = fstype or "this file system"
    if allocated < size:
        return (
            f"{kind} keeps {format_bytes(allocated)} of its {format_bytes(size)}: it compresses, or gives a file its "
            "blocks only when they are written"
        )
    if shared:
        return "a snapshot or a copy shares its blocks, so releasing it frees nothing"
    if fstype not in IN_PLACE:
        return f"{kind} may need new blocks to change old ones, so it can be full in ways that a file cannot help with"
    return ""


class Ballast:
    """The ballast in a state directory. Its methods block and may be called from any thread and by several processes;
    only whoever holds the state's lock lays it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / FILE
        self._inodes = root / INODES
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self._standing = Standing()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Has this called, from another thread, whenever some of it was released."""
        self._watchers.append(watcher)

    def with_room(self, work: Callable[[], T]) -> T:
        """The result of work that may be done again after it failed. Releases as much as it takes. Raises NoRoom."""
        while True:
            try:
                with explained(self._root):
                    return work()
            except NoRoom:
                if not self.release():
                    raise

    def release(self) -> bool:
        """Gives back half of what the disk is short of, or of all where that cannot be told. Whether it gave anything."""
        with self._lock:
            short = shortage(self._root)
            if short == "writes":
                return False
            freed = 0 if short == "inodes" else self._release_bytes()
            removed = 0 if short == "space" else self._release_inodes()
        if not freed and not removed:
            return False
        left = self._held()
        log.warning("ballast released", state=str(self._root), bytes=freed, files=removed,
                    bytes_left=left.blocks, files_left=left.inodes)  # fmt: skip
        for watcher in self._watchers:
            watcher()
        return True

    def _release_bytes(self) -> int:
        try:
            size = self._file.lstat().st_size
        except OSError:
            return 0
        rest = size // 2 // _SMALL * _SMALL
        if rest:
            with suppress(OSError):  # one that writes what changes to new blocks may have none for that
                os.truncate(self._file, rest)
                return size - rest
        with suppress(OSError):
            self._file.unlink()
            return size
        return 0

    def _release_inodes(self) -> int:
        names = self._names()
        removed = 0
        for name in names[: (len(names) + 1) // 2]:
            with suppress(OSError):
                (self._inodes / name).unlink()
                removed += 1
        return removed

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._inodes))
        except OSError:
            return []

    def _held(self) -> Held:
        try:
            status = self._file.lstat()
        except OSError:
            return Held(inodes=len(self._names()))
        return Held(status.st_size, min(status.st_size, status.st_blocks * 512), len(self._names()))

    def standing(self) -> Standing:
        """What is left of it now, with what was found when it was laid last."""
        held, last = self._held(), self._standing
        return replace(last, bytes=held.size if last.doubt else held.blocks, inodes=held.inodes)

    def lay(self, size: int | None) -> Standing:
        """Makes it whole if the disk has room for it and as much again.

        size: bytes; 0 for none at all; None: by the file system's size. Raises OSError where even that cannot be told.
        """
        disk = os.statvfs(self._root)
        wanted = default_size(disk.f_blocks * disk.f_frsize) if size is None else size
        inodes = FILES if wanted and disk.f_files else 0
        with self._lock:
            lacks = self._lay_bytes(wanted) or self._lay_inodes(inodes)
            held = self._held()
        unsure = self._doubt(wanted, held) if wanted and held.size >= wanted else ""
        if unsure and unsure != self._standing.doubt:
            log.warning("ballast cannot be promised", state=str(self._root), reason=unsure)
        before, self._standing = self.standing(), Standing(0, 0, wanted, inodes, lacks, unsure)
        now = self._standing = self.standing()
        if now.whole and not before.whole:
            log.info("ballast laid", state=str(self._root), bytes=now.bytes, files=now.inodes)
        return now

    def _lay_bytes(self, wanted: int) -> str:
        """Why there is no room for as much; empty when the file is as large as wanted."""
        held = self._held()
        if not wanted:
            self._file.unlink(missing_ok=True)
            return ""
        if held.size > wanted:
            os.truncate(self._file, wanted)
            return ""
        missing = wanted - held.blocks
        if not missing or (held.size == wanted and self._standing.doubt):
            return ""
        # A preallocation that does not fit takes all that there is on ext4, so the room comes first.
        room = _available(os.statvfs(self._root))
        if room < missing + wanted:
            return f"the disk has {format_bytes(room)} left; it is laid once there are {format_bytes(missing + wanted)}"
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, wanted)
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, held.size)
            if not held.size:
                self._file.unlink()
            return f"it cannot be preallocated: {error.strerror}"
        finally:
            os.close(descriptor)
        return ""

    def _lay_inodes(self, wanted: int) -> str:
        names = self._names()
        if not wanted:
            for name in names:
                (self._inodes / name).unlink(missing_ok=True)
            with suppress(OSError):
                self._inodes.rmdir()
            return ""
        missing = [name for name in (f"{number:02}" for number in range(wanted)) if name not in names]
        free = os.statvfs(self._root).f_favail
        if missing and free < len(missing) + wanted:
            return f"the disk has {free} inodes left; it is laid once there are {len(missing) + wanted}"
        try:
            self._inodes.mkdir(mode=0o700, exist_ok=True)
            for name in missing:
                (self._inodes / name).touch(mode=0o600)
        except OSError as error:
            return f"its files cannot be made: {error.strerror}"
        return ""

    def _doubt(self, wanted: int, held: Held) -> str:
        mount = mounted_at(self._file)
        return doubt(mount.fstype if mount else "", wanted, held.blocks, shared=shared_blocks(self._file))


def _available(disk: os.statvfs_result) -> int:
    return disk.f_bavail * disk.f_frsize
