"""statx(2), for what ``os.stat`` does not tell: which mount a file is on, when it was made, what chattr forbids.

A device number does not tell mounts apart: a bind mount has that of its source, each btrfs subvolume one of its own.
"""

import ctypes
import errno
import os
import struct

_AT_EMPTY_PATH = 0x1000
_AT_NO_AUTOMOUNT = 0x800
_AT_SYMLINK_NOFOLLOW = 0x100
_BTIME = 0x800
_MNT_ID = 0x1000
_ATTR_IMMUTABLE = 0x10
_ATTR_APPEND = 0x20

# struct statx: the mask, the attributes with the mask of those known, the birth time, the mount.
_SIZE = 256
_MASK = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_TIMESTAMP = struct.Struct("=qI")
_AT_ATTRIBUTES, _AT_ATTRIBUTES_MASK, _AT_BTIME, _AT_MNT_ID = 8, 56, 80, 144

_libc = ctypes.CDLL(None, use_errno=True)
_statx = getattr(_libc, "statx", None)


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


def is_fixed(directory: int, name: str) -> bool:
    """Whether ``chattr +i`` or ``+a`` forbids everybody, root too, to rename, cut or remove a file."""
    return _has(_read(directory, 0, name), _ATTR_IMMUTABLE | _ATTR_APPEND)


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
    # Sandboxes refuse system calls that they do not know with ENOSYS or EPERM.
    if number in (errno.ENOSYS, errno.EPERM):
        return None
    raise OSError(number, os.strerror(number), name)


def _has(raw: bytes | None, wanted: int) -> bool:
    if raw is None:
        return False
    known = _U64.unpack_from(raw, _AT_ATTRIBUTES_MASK)[0]
    return bool(_U64.unpack_from(raw, _AT_ATTRIBUTES)[0] & known & wanted)
