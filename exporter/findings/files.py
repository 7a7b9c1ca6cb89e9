"""Reading files that anybody may have put there: bounded, and never waiting for a pipe or a device."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from exporter.base.errors import UpkeeperError
from exporter.base.text import printable
from exporter.base.units import format_bytes

MAX_BYTES = 1024 * 1024
"""A larger file is not read: a config of that size is a mistake in the path."""

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Unreadable(UpkeeperError):
    """A file that could not be read. The message names the file and says why, and holds nothing of it."""

    def __init__(self, path: str, reason: str, *, missing: bool = False) -> None:
        super().__init__(f"{printable(path)} {reason}")
        self.missing = missing


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file's content and what the file system says of it."""

    path: str
    data: bytes = field(repr=False)
    mode: int
    uid: int
    gid: int
    stamp: tuple[int, int, int, int]
    """Device, inode, size and time of change: the same as long as the file is."""

    @property
    def binary(self) -> bool:
        return b"\0" in self.data


@dataclass(frozen=True, slots=True)
class Mode:
    """Who may do what with a file."""

    path: str
    mode: int
    uid: int
    gid: int
    kind: str
    """What the file is: ``secret``, ``key``, ``env``, ``script`` or ``config``."""


def read_file(path: str) -> TextFile:
    """The content of a regular file, through symlinks. Blocks. Raises Unreadable."""
    with _opened(path) as (descriptor, found):
        data = _read(descriptor)
    if len(data) > MAX_BYTES:
        raise Unreadable(path, f"is larger than {format_bytes(MAX_BYTES)}")
    stamp = (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)
    return TextFile(path, data, found.st_mode, found.st_uid, found.st_gid, stamp)


def check_readable(path: str) -> None:
    """Raises Unreadable where a regular file cannot be opened. Blocks."""
    with _opened(path):
        pass


@contextmanager
def _opened(path: str) -> Iterator[tuple[int, os.stat_result]]:
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(path, "is no regular file")
        yield descriptor, found
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def read_mode(path: str, kind: str) -> Mode:
    """Who may do what with a file or directory, without opening it. Blocks. Raises Unreadable."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path would refuse some of these names
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return Mode(path, found.st_mode, found.st_uid, found.st_gid, kind)


def _read(descriptor: int) -> bytes:
    """At most one byte more than may be."""
    data = bytearray()
    while len(data) <= MAX_BYTES and (part := os.read(descriptor, MAX_BYTES + 1 - len(data))):
        data += part
    return bytes(data)


def _unreadable(path: str, error: Exception) -> Unreadable:
    reason = (error.strerror if isinstance(error, OSError) else "") or "its name cannot be one"
    return Unreadable(path, f"cannot be read: {reason}", missing=isinstance(error, FileNotFoundError))
