"""Room that is kept for the worst moment: a file that holds blocks, and empty files that hold inodes.

When a write finds the disk full, some of it is given back and the write is tried again; it is laid anew once there is
room. Half of what is left is given each time, so that a program that goes on filling the disk does not get all at once.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import structlog

from exporter.base.units import format_bytes
from remediator.model.errors import NoRoom
from remediator.store.extents import shared_blocks
from remediator.store.room import IN_PLACE, explained, lacked_room, mounted_at, shortage

T = TypeVar("T")

log = structlog.get_logger(__name__)

FILE = "ballast"
INODES = "ballast.inodes"

MOST = 64 * 1024 * 1024
LEAST = 8 * 1024 * 1024
"""One alert's whole way takes less: the write-ahead log grows to 4 MiB before it begins anew, the database after it."""
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

    lacks: why it cannot be whole now, as far as can be told; doubt: why it may not help although it is whole.
    """

    bytes: int
    inodes: int
    wanted_bytes: int
    wanted_inodes: int
    lacks: str = ""
    doubt: str = ""

    @property
    def whole(self) -> bool:
        return self.bytes >= self.wanted_bytes and self.inodes >= self.wanted_inodes


def default_size(total: int) -> int:
    """Bytes for a file system of this size: a hundredth, between 8 and 64 MiB, and an eighth at most. Pure."""
    return min(max(LEAST, min(MOST, total // 100)), total // 8)


def doubt(fstype: str, size: int, allocated: int, *, shared: bool) -> str:
    """Why a preallocated file of this size may give back less than it holds; empty where it gives it all. Pure.

    allocated: bytes that the file system says it takes. shared: whether another file or a snapshot has its blocks too.
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
        self.root = root
        self._file = root / FILE
        self._inodes = root / INODES
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], object]] = []
        self._doubted = ""
        self._laid = 0
        """Bytes that were preallocated by this process, whatever the file system made of it."""

    @contextmanager
    def watched(self, watcher: Callable[[], object]) -> Iterator[None]:
        """Has this called, from whichever thread it is, whenever some of it was released."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def with_room(self, work: Callable[[], T]) -> T:
        """The result of work that may be done again after it failed. Releases as much as it takes. Raises NoRoom."""
        while True:
            try:
                with explained(self.root):
                    return work()
            except NoRoom:
                if not self.release():
                    raise

    def release_after(self, error: BaseException) -> bool:
        """Releases some if that is what the error asks for: something else on this machine found no room."""
        return lacked_room(error, self.root) and self.release()

    def release(self) -> bool:
        """Gives back half of what the disk is short of; of all where that cannot be told. Whether it gave anything."""
        with self._lock:
            short = shortage(self.root)
            if short == "writes":
                return False
            freed = 0 if short == "inodes" else self._release_bytes()
            removed = 0 if short == "space" else self._release_inodes()
        if not freed and not removed:
            return False
        left = self._held()
        log.warning("ballast released", state=str(self.root), bytes=freed, files=removed,
                    bytes_left=left.blocks, files_left=left.inodes)  # fmt: skip
        for watcher in list(self._watchers):
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
            return sorted(path.name for path in self._inodes.iterdir())
        except OSError:
            return []

    def _held(self) -> Held:
        try:
            status = self._file.lstat()
        except OSError:
            return Held(inodes=len(self._names()))
        return Held(status.st_size, min(status.st_size, status.st_blocks * 512), len(self._names()))

    def look(self, size: int | None) -> Standing:
        """How it stands. size: bytes wanted; 0 for none at all; None: by the file system's size. Raises OSError."""
        disk = os.statvfs(self.root)
        wanted = default_size(disk.f_blocks * disk.f_frsize) if size is None else size
        inodes = FILES if wanted and disk.f_files else 0
        held = self._held()
        unsure = self._doubt(wanted, held) if wanted and held.size >= wanted else ""
        has = held.size if unsure else held.blocks
        return Standing(
            has, held.inodes, wanted, inodes, _lacks(disk, wanted - has, wanted, inodes - held.inodes), unsure
        )

    def lay(self, size: int | None) -> Standing:
        """Makes it whole if the disk has room for it and as much again. As ``look``, afterwards."""
        before = self.look(size)
        with self._lock:
            if before.wanted_bytes:
                failed = before.lacks or self._lay_bytes(before.wanted_bytes) or self._lay_inodes(before.wanted_inodes)
            else:
                failed = ""
                self._remove()
        now = self.look(size)
        if now.doubt and now.doubt != self._doubted:
            log.warning("ballast cannot be promised", state=str(self.root), reason=now.doubt)
        self._doubted = now.doubt
        if now.whole and not before.whole:
            log.info("ballast laid", state=str(self.root), bytes=now.bytes, files=now.inodes)
        return now if now.whole or not failed else replace(now, lacks=failed)

    def _remove(self) -> None:
        self._file.unlink(missing_ok=True)
        for name in self._names():
            (self._inodes / name).unlink(missing_ok=True)
        if self._inodes.exists():
            self._inodes.rmdir()

    def _lay_bytes(self, wanted: int) -> str:
        """Why that failed; empty when it did not."""
        held = self._held()
        if held.size > wanted:
            os.truncate(self._file, wanted)
        if held.blocks >= wanted or self._laid == held.size == wanted:
            return ""
        short = _lacks(os.statvfs(self.root), wanted - held.blocks, wanted, 0)
        if short:  # before it begins: one that does not fit takes all that there is on ext4
            return short
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            return f"it cannot be made: {error.strerror}"
        try:
            os.posix_fallocate(descriptor, 0, wanted)
            os.fsync(descriptor)
            self._laid = wanted
        except OSError as error:
            os.ftruncate(descriptor, held.size)
            if not held.size:
                self._file.unlink()
            return f"it cannot be preallocated: {error.strerror}"
        finally:
            os.close(descriptor)
        return ""

    def _lay_inodes(self, wanted: int) -> str:
        try:
            self._inodes.mkdir(mode=0o700, exist_ok=True)
            for number in range(wanted):
                (self._inodes / f"{number:02}").touch(mode=0o600)
        except OSError as error:
            return f"its files cannot be made: {error.strerror}"
        return ""

    def _doubt(self, wanted: int, held: Held) -> str:
        mount = mounted_at(self.root)
        return doubt(mount.fstype if mount else "", wanted, held.blocks, shared=shared_blocks(self._file))


def _lacks(disk: os.statvfs_result, missing: int, wanted: int, missing_inodes: int) -> str:
    """Why what is missing cannot be laid now. As much again must be left: else it would itself fill the disk."""
    room = disk.f_bavail * disk.f_frsize
    if missing > 0 and room < missing + wanted:
        return f"the disk has {format_bytes(room)} left, and it is laid once there are {format_bytes(missing + wanted)}"
    if missing_inodes > 0 and disk.f_favail < missing_inodes + FILES:
        return f"the disk has {disk.f_favail} inodes left, and it is laid once there are {missing_inodes + FILES}"
    return ""
