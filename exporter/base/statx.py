"""statx(2), for what ``os.stat`` does not tell: which mount a file is on, when it was made, what chattr forbids.

A device number does not tell mounts apart: a bind mount has that of its source, each btrfs subvolume one of its own.
"""

import ctypes
import errno
import os
import struct
import sys

_AT_EMPTY_PATH = 0x1000
_AT_NO_AUTOMOUNT = 0x800
_AT_SYMLINK_NOFOLLOW = 0x100
_BTIME = 0x800
_MNT_ID = 0x1000
_BASIC = 0x7FF
_ATTR_IMMUTABLE = 0x10
_ATTR_APPEND = 0x20
_ATTR_FIXED = _ATTR_IMMUTABLE | _ATTR_APPEND

# struct statx: the mask, the attributes with the mask of those known, the birth time, the mount.
_SIZE = 256
# All up to the device: attributes, links, mode, inode, size, blocks, attributes known, last change, last write, device.
_FACTS = struct.Struct("=8x Q I 8x H 2x Q Q Q Q 32x q I 4x q I 4x 8x I I")
_MASK = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_TIMESTAMP = struct.Struct("=qI")
_AT_ATTRIBUTES, _AT_ATTRIBUTES_MASK, _AT_BTIME, _AT_MNT_ID = 8, 56, 80, 144

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

_libc = ctypes.CDLL(None, use_errno=True)
_statx = getattr(_libc, "statx", None)

_UNKNOWN = frozenset({errno.ENOSYS, errno.EPERM})
"""With these, sandboxes refuse system calls that they do not know."""

FileFacts = tuple[int, int, int, int, int, int, int, int, bool]
"""Of one file: device, inode, mode, links, size, blocks of 512 bytes, last write in ns, last change in ns (of its
content, its rights or its names: nobody can set this one), whether ``chattr`` forbids to change it. A plain tuple of
numbers: of these there can be a hundred thousand, which the collector then passes over."""


class Looker:
    """Looks at what an open directory has under its names, no link followed: one system call and 3 µs for each.

    Made for one thread.
    """

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self._buffer = ctypes.create_string_buffer(_SIZE)
        self._major = self._minor = self._device = -1

    def look(self, name: str) -> FileFacts | None:
        """None where there is no such name. Raises OSError."""
        if _statx is None:
            return self._look_without(name)
        flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
        if _statx(self._directory, name.encode(_ENCODING, _ERRORS), flags, _BASIC, self._buffer) != 0:
            number = ctypes.get_errno()
            if number == errno.ENOENT:
                return None
            if number in _UNKNOWN:
                return self._look_without(name)
            raise OSError(number, os.strerror(number), name)
        attributes, links, mode, inode, size, blocks, known, *times, major, minor = _FACTS.unpack_from(self._buffer)
        changed, changed_ns, written, written_ns = times
        if major != self._major or minor != self._minor:
            self._major, self._minor, self._device = major, minor, os.makedev(major, minor)
        fixed = bool(attributes & known & _ATTR_FIXED)
        mtime_ns, ctime_ns = written * 1_000_000_000 + written_ns, changed * 1_000_000_000 + changed_ns
        return self._device, inode, mode, links, size, blocks, mtime_ns, ctime_ns, fixed

    def _look_without(self, name: str) -> FileFacts | None:
        try:
            facts = os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return (
            *(facts.st_dev, facts.st_ino, facts.st_mode, facts.st_nlink),
            *(facts.st_size, facts.st_blocks, facts.st_mtime_ns, facts.st_ctime_ns, False),
        )


def birth_time(fd: int, name: str | None = None) -> float | None:
    """When the open file, or what a directory has under a name, was made, as a Unix time.

    None where the file system or kernel does not say. Raises OSError.
    """
    raw = _read(fd, _BTIME, name)
    if raw is None or not _MASK.unpack_from(raw)[0] & _BTIME:
        return None
    seconds, nanoseconds = _TIMESTAMP.unpack_from(raw, _AT_BTIME)
    return float(seconds + nanoseconds / 1e9)


def mount_id(fd: int, name: str | None = None) -> int | None:
    """Which mount the open file is on, or what a directory has under a name, no link followed.

    None before Linux 5.8. Raises OSError.
    """
    raw = _read(fd, _MNT_ID, name)
    if raw is None or not _MASK.unpack_from(raw)[0] & _MNT_ID:
        return None
    return int(_U64.unpack_from(raw, _AT_MNT_ID)[0])


def _read(fd: int, mask: int, name: str | None = None) -> bytes | None:
    """None where it cannot be asked. Raises OSError."""
    if _statx is None:
        return None
    buffer = ctypes.create_string_buffer(_SIZE)
    if name is None:
        path, flags = b"", _AT_EMPTY_PATH
    else:
        path, flags = os.fsencode(name), _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
    if _statx(fd, path, flags, mask, buffer) == 0:
        return buffer.raw
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return None
    raise OSError(number, os.strerror(number), name)
