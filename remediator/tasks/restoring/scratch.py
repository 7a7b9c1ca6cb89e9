"""Directories in which sets are tried out: gone when the work ends, and swept up by the next one if it was killed."""

import contextlib
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.base.file_lock import AlreadyLocked, lock_directory
from exporter.base.units import format_bytes
from remediator.model.task import TaskError

_PREFIX = "upkeeper-restored-"
_RESERVE = 256 * 1024**2
"""Beside what is restored: an empty PostgreSQL server and what it writes ahead."""


@contextmanager
def scratch(where: Path | None, needed: int) -> Iterator[Path]:
    """A new directory for its owner only, removed at the end, however that comes. Blocks. Raises TaskError, OSError.

    where: the directory that it is made in; None for the system's. needed: bytes for which there must be room.
    """
    above = where if where is not None else Path(tempfile.gettempdir())
    if not above.is_dir():
        raise TaskError(f"{above}, where sets are tried out, is not there: make it, or correct scratch:")
    sweep(above)
    at = os.statvfs(above)
    free, wanted = at.f_bavail * at.f_frsize, needed + _RESERVE
    if free < wanted:
        raise TaskError(
            f"what is restored takes about {format_bytes(needed)}, and {above} has {format_bytes(free)} free: make "
            f"room for {format_bytes(wanted)}, or name another directory in scratch:"
        )
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
    lock = lock_directory(made)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def sweep(above: Path) -> None:
    """Removes what a killed process left in a directory, and ends the server that it may have left there. Blocks."""
    for left in above.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, AlreadyLocked):
            at = left.lstat()
            if left.is_symlink() or not left.is_dir() or at.st_uid != os.geteuid():
                continue
            lock = lock_directory(left)
            try:
                for pid_file in left.glob("*/data/postmaster.pid"):
                    _end(pid_file)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _end(pid_file: Path) -> None:
    """Ends the server whose data directory a file is in, if it is that one that still runs."""
    with contextlib.suppress(OSError, ValueError):  # it has ended, or had not written all of the file
        pid = int(pid_file.read_text().split("\n", 1)[0])
        if os.fsencode(pid_file.parent) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGQUIT)


def unprivileged() -> pwd.struct_passwd | None:
    """Who runs a server for root: it refuses to, and what a set holds must not run as root. None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise TaskError("there is no user nobody, as whom root runs a PostgreSQL server to restore into") from None
