"""The few Linux system calls that Python has no function for. All work from open file descriptors."""

import ctypes
import errno
import fcntl
import os
import struct
import sys

_FALLOC_FL_COLLAPSE_RANGE = 0x08
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_RENAME_NOREPLACE = 0x01
_RENAME_EXCHANGE = 0x02
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})

_FLAGS = struct.Struct("=L")
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = getattr(_libc, "fallocate", None)
_syncfs = getattr(_libc, "syncfs", None)
_renameat2 = getattr(_libc, "renameat2", None)
if _fallocate is not None:
    _fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
# Through PyDLL this call keeps the interpreter's lock, so no other thread runs between it and the next line.
_lseek = ctypes.PyDLL(None, use_errno=True).lseek
_lseek.argtypes, _lseek.restype = [ctypes.c_int, ctypes.c_long, ctypes.c_int], ctypes.c_long


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def inode_flags(fd: int) -> int:
    """What chattr(1) shows, as FS_*_FL of linux/fs.h: ioctl_iflags(2). Raises OSError where there are none."""
    return int(_FLAGS.unpack(fcntl.ioctl(fd, _FS_IOC_GETFLAGS, _FLAGS.pack(0)))[0])


def set_inode_flags(fd: int, flags: int) -> None:
    """Raises OSError where the file system does not have them, or the process may not set them."""
    fcntl.ioctl(fd, _FS_IOC_SETFLAGS, _FLAGS.pack(flags))


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


def sync_file_system(path: str) -> None:
    """Brings all of the file system that a directory is on to disk: syncfs(2), or sync(2) of everything without it."""
    if _syncfs is None:
        os.sync()
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _syncfs(fd) != 0:
            raise _failure()
    finally:
        os.close(fd)


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
    encoded, renamed = one.encode(_ENCODING, _ERRORS), other.encode(_ENCODING, _ERRORS)
    if _renameat2(directory, encoded, directory, renamed, flag) == 0:
        return True
    error = _failure()
    if error.errno in _UNSUPPORTED:
        return False
    raise error
