"""Whether any process has a file open for writing, and which."""

import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from signal import SIGURG
from typing import Literal

_FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of the kernel's proc_ns.h: only from here does /proc show the processes of the whole machine."""


@dataclass(frozen=True, slots=True)
class Use:
    """How a file is in use."""

    state: Literal["free", "written", "unknown"]
    """``unknown``: the kernel lets this process find out neither way."""
    by: str = ""
    """The writer, for people, where it can be seen."""
    appends: bool = True
    """False when a writer is known to write at its own position (without O_APPEND)."""


# Looked up once, for what asks a hundred thousand times.
_fcntl, _SETSIG, _SETLEASE, _RDLCK, _SIGURG = fcntl.fcntl, fcntl.F_SETSIG, fcntl.F_SETLEASE, fcntl.F_RDLCK, int(SIGURG)

FREE, WRITTEN, UNKNOWN = Use("free"), Use("written"), Use("unknown")


def use_of(fd: int) -> Use:
    """Whether another open descriptor can write to this file; ``fd`` itself must be open for reading only.

    The kernel grants a read lease on a file only while nobody has it open for writing, in whatever container: the
    surest answer there is (fcntl(2), F_SETLEASE). It is given back at once. Only the file's owner, or a process with
    CAP_LEASE, may ask, and not every file system takes leases; then /proc has to say, as far as it may be read.
    """
    # A process that opens the file for writing meanwhile waits, and the kernel signals us: by one that is ignored.
    fcntl.fcntl(fd, fcntl.F_SETSIG, SIGURG)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return WRITTEN
        return _use_by_proc(os.fstat(fd))
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return FREE


def is_written(fd: int) -> bool:
    """Whether another open descriptor is known to write to this file, in the fewest system calls: close ``fd`` next.

    As ``use_of``, but the lease is given back only when ``fd`` is closed.
    """
    _fcntl(fd, _SETSIG, _SIGURG)
    try:
        _fcntl(fd, _SETLEASE, _RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN or _use_by_proc(os.fstat(fd)).state == "written"
    return False


def is_surely_written(fd: int) -> bool:
    """As ``is_written`` where the kernel tells it at once; False where all processes would have to be looked at."""
    _fcntl(fd, _SETSIG, _SIGURG)
    try:
        _fcntl(fd, _SETLEASE, _RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def name_writers(files: set[tuple[int, int]]) -> tuple[dict[tuple[int, int], Use], bool]:
    """The writers of files, given as (st_dev, st_ino); and whether every process could be looked into."""
    inodes = {inode for _, inode in files}
    found: dict[tuple[int, int], Use] = {}
    complete = _sees_all_processes()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for key, flags in _written_by(process, inodes):
                if key in files:
                    name = (process / "comm").read_text(errors="replace").strip()
                    appends = bool(flags & os.O_APPEND) and found.get(key, WRITTEN).appends
                    found[key] = Use("written", f"{name} (pid {process.name})", appends)
        except PermissionError:
            complete = False
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found, complete


def _sees_all_processes() -> bool:
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE
    except PermissionError:
        return False  # of a process that changed its user, /proc tells that user nothing


def _written_by(process: Path, inodes: set[int]) -> list[tuple[tuple[int, int], int]]:
    """((st_dev, st_ino), open flags) of each file that the process can write to and whose inode is among those."""
    written = []
    with os.scandir(process / "fd") as listing:
        descriptors = [entry.name for entry in listing]
    for descriptor in descriptors:
        try:
            facts = _descriptor(process / "fdinfo" / descriptor)
            flags = int(facts["flags"], 8)
            # The inode number (Linux 5.14) spares a stat, which could hang on a dead network file system.
            if flags & os.O_ACCMODE == os.O_RDONLY or int(facts.get("ino", "-1")) not in {-1, *inodes}:
                continue
            status = (process / "fd" / descriptor).stat()
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed meanwhile
        written.append(((status.st_dev, status.st_ino), flags))
    return written


def _descriptor(path: Path) -> dict[str, str]:
    """The fields of /proc/PID/fdinfo/N: proc_pid_fdinfo(5)."""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return {key: value.strip() for key, _, value in lines}


def _use_by_proc(facts: os.stat_result) -> Use:
    key = (facts.st_dev, facts.st_ino)
    found, complete = name_writers({key})
    return found.get(key, FREE if complete else UNKNOWN)
