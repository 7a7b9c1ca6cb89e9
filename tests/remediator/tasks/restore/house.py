"""Sets with a bit of everything that needs no server, and who restores them."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from exporter.inventory.backups import Backup as Series
from remediator.model.task import Effect, Plan, TaskError
from remediator.tasks.restore.task import Restore
from tests.remediator.tasks.backup.series import made, series, task

AS_ROOT = os.geteuid() == 0


class House:
    """A directory of everything that tar knows, a database, and sets of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sets, self.data, self.out = root / "sets", root / "data", root / "out"
        self.sets.mkdir()
        self.data.mkdir()
        _fill(self.data)
        with closing(sqlite3.connect(root / "x.sqlite")) as database:
            database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
            database.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 200,) for _ in range(200)])
            database.commit()
        make = {"files": [str(self.data)], "sqlite": [{"name": "x", "path": str(root / "x.sqlite")}]}
        self.series: Series = series(self.sets, make)
        self.now = 1_795_485_600.0
        self.restore = Restore([self.series], clock=lambda: self.now)

    async def add(self) -> Path:
        self.now += 3600
        return await made(task(self.series, clock=lambda: self.now), self.sets)

    async def plan(self, **params: Any) -> Plan:
        return await self.restore.plan("pa", {"to": str(self.out), **params})

    async def applied(self, plan: Plan) -> list[Effect | str]:
        """The effects of all actions of a plan; of one that failed its message."""
        found: list[Effect | str] = []
        for action in plan.actions:
            try:
                found.append(await self.restore.apply("pa", action))
            except TaskError as error:
                found.append(str(error))
        return found

    @property
    def restored(self) -> Path:
        """Where the directory of everything comes to be."""
        return self.out / "files" / str(self.data).lstrip("/")


def _fill(data: Path) -> None:
    (data / "file").write_bytes(os.urandom(300_000))
    (data / "file").chmod(0o4751)
    (data / "empty").touch(0o600)
    (data / "deep" / "er").mkdir(parents=True)
    (data / "deep").chmod(0o500 if AS_ROOT else 0o700)
    (data / "deep" / "er" / "name with \n line").write_text("content")
    os.link(data / "file", data / "deep" / "er" / "hard")
    (data / "link").symlink_to("deep/er")
    (data / "away").symlink_to("/etc/passwd")
    (data / "up").symlink_to("../../..")
    with (data / "holes").open("wb") as file:
        file.write(b"begin")
        file.seek(50 * 1024**2)
        file.write(b"end")
    os.mkfifo(data / "fifo", 0o640)
    Path(os.fsdecode(bytes(data) + b"/not \xff UTF-8")).write_text("odd")
    os.setxattr(data / "file", "user.note", b"kept")
    if AS_ROOT:
        os.chown(data / "empty", 1234, 5678)
        os.chown(data / "link", 1234, 5678, follow_symlinks=False)
    for number, path in enumerate(sorted(data.rglob("*"), reverse=True)):
        os.utime(path, ns=(10**18, 10**18 + number * 1_000_000_007), follow_symlinks=False)


def everything(root: Path) -> dict[str, Sequence[object]]:
    """What is below a directory, by path: kind, mode, owners, times, content, links, attributes."""
    inodes: dict[int, str] = {}
    found: dict[str, Sequence[object]] = {}
    for path in sorted([root, *root.rglob("*")]):
        at, name = path.lstat(), os.fspath(path.relative_to(root))
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = (path.read_bytes(), at.st_blocks < 1000 or at.st_blocks * 512 >= at.st_size)
        attributes = {
            key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)
        }
        first = inodes.setdefault(at.st_ino, name)
        mtime = None if path == root else at.st_mtime_ns
        found[name] = (
            at.st_mode,
            at.st_uid,
            at.st_gid,
            mtime,
            at.st_size * (not path.is_dir()),
            content,
            attributes,
            first,
        )
    return found
