"""Tells whether an error means that a file system is full or takes no writes, and explains it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.host.mounts import MOUNTINFO, Mount, mount_of, parse_mountinfo
from remediator.model.errors import NoRoom

ROOM_INTERVAL = 5.0
"""Seconds between attempts to write what there was no room for."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_SQLITE_FULL = 13
_SQLITE_OF_A_FULL_DISK = frozenset({8, 10, 14})
"""SQLITE_READONLY, SQLITE_IOERR and SQLITE_CANTOPEN (https://sqlite.org/rescode.html): said of a file beside the
database that could not be made, also in other cases, so the file system is asked whether it has room."""

IN_PLACE = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs"})
"""File systems where a block that was written once is written again without room for another one."""

_FAILED_WRITES = frozenset(10 | detail << 8 for detail in (3, 4, 5, 6, 18, 19, 21))
"""SQLITE_IOERR_WRITE, _FSYNC, _DIR_FSYNC, _TRUNCATE, _SHMOPEN, _SHMSIZE and _SHMMAP."""

_LITTLE_BYTES = 1024 * 1024
_FEW_INODES = 16
"""XFS and btrfs refuse before the last block is given away."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raises NoRoom instead of a system or database error that means so. path: what was to be written."""
    try:
        yield
    except Exception as error:
        found = no_room(error, path)
        if found is None:
            raise
        raise found from error


def no_room(error: BaseException, path: Path) -> NoRoom | None:
    """The NoRoom that an error stands for; None for any other error."""
    if isinstance(error, NoRoom):
        return error
    if isinstance(error, OSError):
        if error.errno not in _FULL:
            return None
        return NoRoom(_quota(path) if error.errno == errno.EDQUOT else _sentence(path, shortage(path) or "space"))
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    if code is None:
        return None
    short = shortage(path)
    if code & 0xFF == _SQLITE_FULL:
        return NoRoom(_sentence(path, short or "space"))
    return NoRoom(_sentence(path, short)) if short and code & 0xFF in _SQLITE_OF_A_FULL_DISK else None


def may_lack_room(error: BaseException) -> bool:
    """Whether a database error is what SQLite makes of a write that failed, of which it does not tell why.

    A file system that finds blocks late says only at the sync that it has none. What failed was undone, and may be done
    again: SQLite then writes all of it anew.
    """
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code in _FAILED_WRITES


def lacked_room(error: BaseException, path: Path) -> bool:
    """Whether an error, or what caused it, says that a disk is full, or the one that holds the path is."""
    cause: BaseException | None = error
    while cause is not None:
        if no_room(cause, path) is not None:
            return True
        cause = cause.__cause__
    return shortage(path) in ("space", "inodes")


def mounted_at(path: Path) -> Mount | None:
    """The mount that holds a path, which need not exist; None if the kernel does not say."""
    try:
        return mount_of(parse_mountinfo(MOUNTINFO.read_bytes()), os.fsencode(_existing(path).resolve()))
    except OSError:
        return None


def shortage(path: Path) -> str | None:
    """What the file system does not give: ``space``, ``inodes`` or ``writes``; None where it seems to give them all."""
    try:
        held = os.statvfs(_existing(path))
    except OSError:
        return None
    if held.f_flag & os.ST_RDONLY:
        return "writes"
    root = os.geteuid() == 0
    if (held.f_bfree if root else held.f_bavail) * held.f_frsize < _LITTLE_BYTES:
        return "space"
    return "inodes" if held.f_files and (held.f_ffree if root else held.f_favail) < _FEW_INODES else None


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _sentence(path: Path, short: str) -> str:
    place, named = _place(path)
    if short == "writes":
        return f"{named} is mounted read-only, so nothing can be recorded in {path}; see: findmnt {place}, dmesg"
    if short == "inodes":
        return f"{named} has no inodes left, so nothing can be recorded in {path}; remove files on it: df -i {place}"
    return f"{named} is full, so nothing can be recorded in {path}; free some space on it: df -h {place}"


def _quota(path: Path) -> str:
    _, named = _place(path)
    return f"the disk quota on {named} is used up, so nothing can be recorded in {path}; remove files, or raise it"


def _place(path: Path) -> tuple[str, str]:
    """The mount point, and the file system with it in words."""
    mount = mounted_at(path)
    if mount is None:
        return str(path), f"the file system of {path}"
    place, device = (os.fsdecode(part) for part in (mount.mountpoint, mount.device))
    return place, f"the file system {place} ({mount.fstype} on {device})"
