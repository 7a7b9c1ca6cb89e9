"""The few Linux system calls that Python has no function for. All work from open file descriptors."""

import ctypes
import errno
import fcntl
import os
import struct

_AT_EMPTY_PATH = 0x1000
_AT_SYMLINK_NOFOLLOW = 0x100
_STATX_BTIME = 0x800
_STATX_ATTR_IMMUTABLE = 0x10
_STATX_ATTR_APPEND = 0x20
_STATX_ATTR_MOUNT_ROOT = 0x2000
_FALLOC_FL_COLLAPSE_RANGE = 0x08
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_RENAME_NOREPLACE = 0x01
_RENAME_EXCHANGE = 0x02
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})

# struct statx of statx(2): the mask, the attributes with the mask of those known, and the birth time.
_STATX_SIZE = 256
_MASK = struct.Struct("=I")
_ATTRIBUTES = struct.Struct("=Q")
_TIMESTAMP = struct.Struct("=qI")
_FLAGS = struct.Struct("=L")
_AT_ATTRIBUTES, _AT_ATTRIBUTES_MASK, _AT_BTIME = 8, 56, 80

_libc = ctypes.CDLL(None, use_errno=True)
_statx = getattr(_libc, "statx", None)
_fallocate = getattr(_libc, "fallocate", None)
_renameat2 = getattr(_libc, "renameat2", None)
if _fallocate is not None:
    _fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
# Through PyDLL this call keeps the interpreter's lock, so no other thread runs between it and the next line.
_lseek = ctypes.PyDLL(None, use_errno=True).lseek
_lseek.argtypes, _lseek.restype = [ctypes.c_int, ctypes.c_long, ctypes.c_int], ctypes.c_long


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _read_statx(fd: int, name: str | None = None) -> bytes | None:
    """Of the open file, or of what a directory has under a name, no link followed. None where it cannot be asked."""
    if _statx is None:
        return None
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    path, flags = (b"", _AT_EMPTY_PATH) if name is None else (os.fsencode(name), _AT_SYMLINK_NOFOLLOW)
    if _statx(fd, path, flags, _STATX_BTIME, buffer) == 0:
        return buffer.raw
    error = _failure()
    # Sandboxes refuse system calls that they do not know with ENOSYS or EPERM.
    if error.errno in (errno.ENOSYS, errno.EPERM):
        return None
    raise error


def birth_time(fd: int) -> float | None:
    """When the file was made, as a Unix time; None where the file system or kernel does not say. See statx(2)."""
    raw = _read_statx(fd)
    if raw is None or not _MASK.unpack_from(raw)[0] & _STATX_BTIME:
        return None
    seconds, nanoseconds = _TIMESTAMP.unpack_from(raw, _AT_BTIME)
    return float(seconds + nanoseconds / 1e9)


def is_mount_root(fd: int) -> bool:
    """Whether something is mounted on this very file or directory, a bind mount too (same ``st_dev``).

    Linux 5.8 and later say so (statx(2), STATX_ATTR_MOUNT_ROOT); an older one answers False.
    """
    return _has(_read_statx(fd), _STATX_ATTR_MOUNT_ROOT)


def is_fixed(directory: int, name: str) -> bool:
    """Whether ``chattr +i`` or ``+a`` forbids everybody, root too, to rename, cut or remove a file: statx(2)."""
    return _has(_read_statx(directory, name), _STATX_ATTR_IMMUTABLE | _STATX_ATTR_APPEND)


def inode_flags(fd: int) -> int:
    """What chattr(1) shows, as FS_*_FL of linux/fs.h: ioctl_iflags(2). Raises OSError where there are none."""
    return int(_FLAGS.unpack(fcntl.ioctl(fd, _FS_IOC_GETFLAGS, _FLAGS.pack(0)))[0])


def set_inode_flags(fd: int, flags: int) -> None:
    """Raises OSError where the file system does not have them, or the process may not set them."""
    fcntl.ioctl(fd, _FS_IOC_SETFLAGS, _FLAGS.pack(flags))


def _has(raw: bytes | None, wanted: int) -> bool:
    if raw is None:
        return False
    known = _ATTRIBUTES.unpack_from(raw, _AT_ATTRIBUTES_MASK)[0]
    return bool(_ATTRIBUTES.unpack_from(raw, _AT_ATTRIBUTES)[0] & known & wanted)


def collapse_head(fd: int, length: int) -> bool:
    """Takes the first ``length`` bytes out of a file, in one step that excludes every write: what followed moves to 0.

    ``length`` is a multiple of the file system's block size and less than the file's size. False, with the file as it
    was, where the file system cannot do this (only ext4 and XFS can: fallocate(2), FALLOC_FL_COLLAPSE_RANGE).
    """
    if _fallocate is None:
        return False
    if _fallocate(fd, _FALLOC_FL_COLLAPSE_RANGE, 0, length) == 0:
        return True
    error = _failure()
    if error.errno in _UNSUPPORTED:
        return False
    raise error


def truncate_if(fd: int, size: int) -> bool:
    """Empties a file if it is exactly ``size`` bytes long, as near to one step as two system calls can be."""
    if _lseek(fd, 0, os.SEEK_END) != size:
        return False
    os.ftruncate(fd, 0)
    return True


def exchange(directory: int, one: str, other: str) -> bool:
    """Swaps two names of a directory in one step; False, with nothing done, where not supported: renameat2(2)."""
    return _rename(directory, one, other, _RENAME_EXCHANGE)


def rename_to_free(directory: int, name: str, free: str) -> bool:
    """Renames in one step, to a name that nothing has; False, with nothing done, where not supported: renameat2(2).

    Raises FileExistsError where the name is taken.
    """
    return _rename(directory, name, free, _RENAME_NOREPLACE)


def _rename(directory: int, one: str, other: str, flag: int) -> bool:
    if _renameat2 is None:
        return False
    if _renameat2(directory, os.fsencode(one), directory, os.fsencode(other), flag) == 0:
        return True
    error = _failure()
    if error.errno in _UNSUPPORTED:
        return False
    raise error
