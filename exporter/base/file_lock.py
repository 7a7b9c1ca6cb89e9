"""Locks on files and directories by flock(2), which the kernel releases when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path


class AlreadyLocked(Exception):
    """Another process holds the lock. The message is what that process wrote into the file; empty for a directory."""


def lock_file(path: Path) -> int:
    """Locks a file, which is made if need be, until the returned descriptor is closed or the process ends.

    Does not wait. Raises AlreadyLocked, and OSError when the file cannot be made.
    """
    return _locked(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def lock_directory(path: Path) -> int:
    """The same for a directory, so that no lock file is left behind. Raises OSError if it does not exist."""
    return _locked(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file; a file that does not exist is not locked. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _locked(descriptor: int) -> int:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _content(descriptor)
        os.close(descriptor)
        raise AlreadyLocked(holder) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _content(descriptor: int) -> str:
    try:
        return os.read(descriptor, 256).decode(errors="replace").strip()
    except IsADirectoryError:
        return ""
