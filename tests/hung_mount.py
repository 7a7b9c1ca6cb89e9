"""A file system that never answers, as on a dead NFS server: a real FUSE mount whose every operation waits for ever."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

from exporter.host.mounts import MOUNTINFO, parse_mountinfo
from tests.helpers import Hopeless, missing, require_program, wait_until


@asynccontextmanager
async def hung_mount(point: Path) -> AsyncIterator[None]:
    """Mounts it on a directory. Unmounted and ended at the end, so that whoever is stuck in it gets an error.

    Until then the kernel ends no process that waits for it, not even by SIGKILL.
    """
    fusermount = require_program("fusermount3", "fuse3")
    if not Path("/dev/fuse").exists():
        missing("there is no /dev/fuse on this machine")
    log = point.with_name(f"{point.name}.log")
    with log.open("wb") as output:
        server = subprocess.Popen([sys.executable, "-m", "tests.hung_mount", str(point)], stdout=output, stderr=output)

    def mounted() -> bool:
        if server.poll() is not None:
            raise Hopeless(log.read_text())
        return any(mount.mountpoint == bytes(point) for mount in parse_mountinfo(MOUNTINFO.read_bytes()))

    try:
        await wait_until(mounted, what="the FUSE file system to be mounted")
        yield
    finally:
        subprocess.run([fusermount, "-u", "-z", str(point)], check=False, capture_output=True)
        server.kill()
        server.wait()


def main(point: str) -> None:
    """Serves the file system until it is killed."""
    import threading
    from ctypes.util import find_library

    # Where libfuse 2 is installed too, mfusepy would take that one, which mounts on empty directories only.
    os.environ.setdefault("FUSE_LIBRARY_PATH", find_library("fuse3") or "")
    import mfusepy

    class Hangs(mfusepy.Operations):
        use_ns = True

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            return self._never()

        def statfs(self, path: str) -> dict[str, int]:
            return self._never()

        def opendir(self, path: str) -> int:
            return self._never()

        def access(self, path: str, amode: int) -> int:
            return self._never()

        def _never(self) -> NoReturn:
            threading.Event().wait()
            raise AssertionError

    mfusepy.FUSE(Hangs(), point, foreground=True, nothreads=False)


if __name__ == "__main__":
    main(sys.argv[1])
