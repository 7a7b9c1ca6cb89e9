"""A file system that gives no room for one chosen write: a real FUSE mount over a directory.

What changes something (creating, writing, growing, renaming, syncing) is counted; the one whose turn it is fails with
ENOSPC, and everything before and after it is done in the directory below.
"""

import errno
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from exporter.host.mounts import MOUNTINFO, parse_mountinfo
from tests.helpers import Hopeless, missing, require_program, wait_until

_CONTROL = struct.Struct("=qq")
"""How many changes until the one that fails, negative for none; and how many there were since that was set."""


class Faults:
    """Says which change is to fail."""

    def __init__(self, control: Path) -> None:
        with control.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _CONTROL.size)

    def fail(self, number: int) -> None:
        """The change of that number from now on, from 1; 0 for none."""
        _CONTROL.pack_into(self._shared, 0, number or -1, 0)

    @property
    def changes(self) -> int:
        return int(_CONTROL.unpack_from(self._shared)[1])

    @property
    def failed(self) -> bool:
        return int(_CONTROL.unpack_from(self._shared)[0]) == 0

    def change(self) -> None:
        """Counts one. Raises ENOSPC when it is the one."""
        left, seen = _CONTROL.unpack_from(self._shared)
        _CONTROL.pack_into(self._shared, 0, max(left - 1, 0) if left > 0 else min(left, -1) if left else 0, seen + 1)
        if left == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@asynccontextmanager
async def fault_disk(point: Path) -> AsyncIterator[Faults]:
    """Mounts it on a directory that is made. Nothing fails until it is told so."""
    fusermount = require_program("fusermount3", "fuse3")
    if not Path("/dev/fuse").exists():
        missing("there is no /dev/fuse on this machine")
    below, control, log = (point.with_name(f"{point.name}.{what}") for what in ("below", "control", "log"))
    point.mkdir()
    below.mkdir()
    control.write_bytes(_CONTROL.pack(-1, 0))
    arguments = [sys.executable, "-m", "tests.faultdisk", *map(str, (point, below, control))]
    with log.open("wb") as output:
        server = subprocess.Popen(arguments, stdout=output, stderr=output)

    def mounted() -> bool:
        if server.poll() is not None:
            raise Hopeless(log.read_text())
        return any(mount.mountpoint == bytes(point) for mount in parse_mountinfo(MOUNTINFO.read_bytes()))

    try:
        await wait_until(mounted, what="the FUSE file system to be mounted")
        yield Faults(control)
    finally:
        subprocess.run([fusermount, "-u", "-z", str(point)], check=False, capture_output=True)
        server.terminate()
        server.wait()


def main(point: str, below: str, control: str) -> None:
    """Serves the file system until it is ended."""
    from ctypes.util import find_library

    os.environ.setdefault("FUSE_LIBRARY_PATH", find_library("fuse3") or "")
    import mfusepy

    faults = Faults(Path(control))

    class Through(mfusepy.Operations):
        use_ns = True

        def _below(self, path: str) -> str:
            return below + path

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            found = os.lstat(self._below(path))
            names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
            times = {f"st_{each}": getattr(found, f"st_{each}_ns") for each in ("atime", "mtime", "ctime")}
            return {name: getattr(found, name) for name in names} | times

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *os.listdir(self._below(path))]

        def readlink(self, path: str) -> str:
            return os.readlink(self._below(path))

        def statfs(self, path: str) -> dict[str, int]:
            found = os.statvfs(self._below(path))
            return {name: getattr(found, name) for name in dir(found) if name.startswith("f_") and name != "f_fsid"}

        def open(self, path: str, flags: int) -> int:
            return os.open(self._below(path), flags)

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            faults.change()
            return os.open(self._below(path), os.O_RDWR | os.O_CREAT, mode)

        def mkdir(self, path: str, mode: int) -> None:
            faults.change()
            os.mkdir(self._below(path), mode)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            faults.change()
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> None:
            if length > os.stat(self._below(path)).st_size:
                faults.change()
            os.truncate(self._below(path), length)

        def fallocate(self, path: str, mode: int, offset: int, length: int, fh: int) -> None:
            faults.change()
            os.posix_fallocate(fh, offset, length)

        def fsync(self, path: str, datasync: int, fh: int) -> None:
            faults.change()
            os.fsync(fh)

        def rename(self, old: str, new: str) -> None:
            faults.change()
            os.rename(self._below(old), self._below(new))

        def link(self, target: str, source: str) -> None:
            faults.change()
            os.link(self._below(source), self._below(target))

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def unlink(self, path: str) -> None:
            os.unlink(self._below(path))

        def rmdir(self, path: str) -> None:
            os.rmdir(self._below(path))

        def chmod(self, path: str, mode: int) -> None:
            os.chmod(self._below(path), mode)

        def release(self, path: str, fh: int) -> None:
            os.close(fh)

    mfusepy.FUSE(Through(), point, foreground=True, nothreads=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
