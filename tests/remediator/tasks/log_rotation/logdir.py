"""Log directories for tests: numbered lines that can be accounted for, writers, and small file systems."""

import gzip
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from exporter.inventory.logs import LogDirectory
from remediator.files import linux
from remediator.files.folder import decode_path
from remediator.model.task import Action, Effect, Plan
from remediator.tasks.log_rotation.steps import Deletion
from remediator.tasks.log_rotation.task import LogRotation
from tests.filesystems import bound as bound
from tests.filesystems import mounted as mounted
from tests.filesystems import overlaid as overlaid
from tests.helpers import missing

KIB = 1024
DAY = 86400.0


def task(path: Path, *, at: float | None = None, **settings: Any) -> LogRotation:
    """log-rotation of one directory, its target being ``logs``. ``at``: the time that its clock shows.

    Settings of the directory, and, as ``rotation=dict(...)``, of its rotation: 64 KiB a file where nothing is said.
    """
    rotation = {"max_file_bytes": 64 * KIB, "max_file_age": None, **settings.pop("rotation", {})}
    values = {"name": "logs", "path": str(path), "max_bytes": 10**9, "rotation": rotation, **settings}
    clock = time.time if at is None else lambda: at
    return LogRotation([LogDirectory.model_validate(values)], clock)


async def run(rotation: LogRotation) -> list[tuple[Action, Effect]]:
    """Plans, and does every action of the plan."""
    return [(action, await rotation.apply("logs", action)) for action in (await rotation.plan("logs")).actions]


def done(results: list[tuple[Action, Effect]]) -> list[tuple[str, str]]:
    """(kind, object) of the actions that were done."""
    return [(action.kind, action.object) for action, effect in results if effect.state == "done"]


def deleted_by(action: Action) -> list[str]:
    """Paths below the root of the files that an action deletes, one or many."""
    if action.kind == "delete":
        return [decode_path(str(action.params["path"]))]
    if action.kind != "delete-many":
        return []
    listing = Deletion.model_validate(action.params).listing()
    return [f"{folder}/{name}" if folder else name for folder, files in listing for name, _ in files]


def listed(plan: Plan) -> list[tuple[str, str]]:
    return [(action.kind, action.object) for action in plan.actions]


def numbered(start: int, count: int) -> bytes:
    """Whole lines, each with its number, of varied length."""
    return b"".join(b"%08d a line of a log%s\n" % (n, b" and more" * (n * 7 % 11)) for n in range(start, start + count))


def write_log(path: Path, size: int = 200 * KIB, start: int = 0) -> bytes:
    """Makes a log of numbered lines, about so many bytes, and returns them."""
    count = size // 70
    path.write_bytes(numbered(start, count))
    return path.read_bytes()


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.name.endswith(".gz") else data


def lines(directory: Path) -> "Counter[bytes]":
    """Every line in every visible file below the directory, compressed ones too; blank ones left out."""
    found: Counter[bytes] = Counter()
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            found.update(line for line in content(path).replace(b"\0", b"").splitlines() if line.strip())
    return found


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def rotated(directory: Path, log: str = "app.log") -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.name.startswith(f"{log}-"))


def snapshot(directory: Path) -> dict[str, tuple[int, ...]]:
    """What shows any change to a tree, the times of directories included; not the times of reading."""
    paths = [directory, *directory.rglob("*")]
    return {
        str(path): (s.st_ino, s.st_mode, s.st_uid, s.st_gid, s.st_nlink, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        for path in paths
        for s in [path.lstat()]
    }


def require_collapse(directory: Path) -> None:
    """Skips the test where the file system cannot take blocks out of a file's head."""
    probe = directory / "probe"
    probe.write_bytes(bytes(2 * os.statvfs(directory).f_frsize))
    fd = os.open(probe, os.O_RDWR)
    try:
        if not linux.collapse_head(fd, os.statvfs(directory).f_frsize):
            missing("the file system of the temporary directory cannot collapse a file's head (ext4 and XFS can)")
    finally:
        os.close(fd)
        probe.unlink()


class Writer:
    """A process that never stops writing numbered lines to a log until it is told to, in a ``with`` block.

    reopen: opens the log anew for every hundred lines, as a program does that does not keep its log open.
    append: opens it with O_APPEND. pause: seconds between two lines.
    """

    def __init__(self, path: Path, *, append: bool = True, reopen: bool = False, pause: float = 0.0) -> None:
        self._arguments = [str(path), str(int(append)), str(int(reopen)), str(pause)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Writer":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.remediator.tasks.log_rotation.log_writer", *self._arguments],
            stdout=subprocess.PIPE,
        )
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """Ends the writer. Returns how many lines it wrote."""
        assert self._process is not None
        self._process.terminate()
        output, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return int(output)

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate(timeout=60)
