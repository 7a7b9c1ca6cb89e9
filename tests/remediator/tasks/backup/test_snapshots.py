"""Sets that the real restic makes in a repository: streamed there, whole or none, and read from there again."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from exporter.backups import results
from exporter.backups.restic import Restic, counting
from exporter.inventory.backups import Backup as Series
from remediator.control.cataloguing import Cataloguing
from remediator.model.task import TaskError
from remediator.tasks.backup.copies.repository import Repository
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.snapshots.partial import ResticPartial
from remediator.tasks.backup.snapshots.sets import sets_in
from remediator.tasks.backup.sources.source import Copied
from remediator.tasks.backup.task import Backup
from remediator.tasks.backup_verification.task import BackupVerification
from remediator.tasks.restoring.elsewhere import fetched, in_repository
from remediator.tasks.restoring.sets import choose
from tests.helpers import wait_until
from tests.remediator.tasks.backup.series import applied, task
from tests.restic import Real, make_cheap, on_path, programs, write_password

NEVER = threading.Event()


class House:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.real = Real(directory / "repo", write_password(directory))
        self.real.run("init")
        make_cheap(self.real)
        self.files = directory / "files"
        self.files.mkdir()
        (self.files / "one").write_bytes(os.urandom(200_000))
        with closing(sqlite3.connect(directory / "n8n.sqlite")) as database:
            database.execute("CREATE TABLE t (x)")
            database.executemany("INSERT INTO t VALUES (?)", [(each,) for each in range(10)])
            database.commit()
        self.owner = Owner(host="kitchen", state=str(directory / "state"))
        make = {"files": [str(self.files)], "sqlite": [{"name": "n8n", "path": str(directory / "n8n.sqlite")}]}
        access = {"repository": str(self.real.path), "password_file": str(self.real.password_file)}
        self.series = Series.model_validate({"name": "pa", "restic": access, "make": make})
        self.repository = Repository(self.series.restic, None)  # type: ignore[arg-type]
        self.now = 1_795_485_600.0

    @property
    def backup(self) -> Backup:
        self.now += 60
        return task(self.series, owner=self.owner, clock=lambda: self.now)

    async def made(self) -> None:
        assert [each if isinstance(each, str) else each.state for each in await applied(self.backup)] == ["done"] * 3

    def sets(self) -> list[str]:
        return [each.name for each in sets_in(self.repository, "pa", NEVER)]

    def snapshots(self) -> int:
        return len(self.repository.snapshots(["upkeeper"], NEVER))

    def notes(self) -> list[str]:
        folder = self.directory / "state" / "restic-sets" / "pa"
        return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


@pytest.fixture(params=programs())
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    on_path(request.param, tmp_path, monkeypatch)
    return House(tmp_path)


async def test_a_set_is_made_counted_and_comes_back(house: House) -> None:
    await house.made()
    (name,) = house.sets()
    assert name == "backup-2026-11-24T020100Z"
    assert house.snapshots() == 3
    assert house.notes() == []
    assert (await house.backup.measure("pa")).values["sets"] == 1.0
    # The exporter counts sets, and not the snapshots of their files.
    (seen,) = await Restic(counting(house.series), None).snapshots()
    (one,) = sets_in(house.repository, "pa", NEVER)
    assert (seen.set, seen.bytes, seen.time) == (name, one.bytes, one.date)
    config: Any = SimpleNamespace(backups=[house.series])
    listed = await Cataloguing(lambda: config, lambda: house.now).sets("pa")
    assert [(each["name"], each["bytes"]) for each in listed["items"]] == [(name, one.bytes)]
    assert listed["unread"] == []
    assert one.bytes is not None
    assert one.bytes > 200_000
    # From nothing but the repository.
    for asked in ("latest", name):
        snapshot = in_repository(house.repository, asked, None, NEVER)
        with fetched(house.repository, snapshot, house.directory, None, NEVER) as found:
            chosen = choose(found.series, found.name, lambda: house.now)
            assert chosen.name == name
            assert [each.path for each in chosen.manifest.files] == ["sqlite/n8n.sqlite", "files.tar.zst"]
            assert chosen.manifest.members[0].facts["rows"] == {"t": 10}
            content = (chosen.directory / "sqlite/n8n.sqlite").read_bytes()
            assert content.startswith(b"SQLite format 3")
    with pytest.raises(TaskError, match=r"has no set 'other'; it has: backup-2026-11-24T020100Z"):
        in_repository(house.repository, "other", None, NEVER)
    await house.made()
    assert len(house.sets()) == 2


async def test_it_is_verified_where_it_is_and_any_damage_is_found(house: House) -> None:
    await house.made()
    state = house.directory / "state"
    proving = BackupVerification([house.series], state, clock=lambda: house.now)
    assert await proving.targets() == ["pa"]

    async def looked(level: str) -> list[str]:
        plan = await proving.plan("pa", {"level": level})
        said = []
        for action in plan.actions:
            try:
                said.append((await proving.apply("pa", action)).detail)
            except TaskError as error:
                said.append(str(error))
        return said

    before = await proving.measure("pa")
    said = await looked("restored")
    assert said[0].startswith("2 files, ")
    assert said[1] == "sqlite:n8n: 10 rows, files: 2 entries"
    assert said[2] == "sqlite:n8n: 10 rows, files: 2 entries"
    assert proving.improved(before, await proving.measure("pa"))
    assert set(results.read(state, "pa").verifications) == {"checksums", "readable", "restored"}
    # One byte of a pack: which of its files that was is said, and the others are read.
    name = house.sets()[0]
    packs = sorted((house.real.path / "data").rglob("*"), key=lambda each: each.stat().st_size)
    pack = packs[-1]
    content = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(content[:90_000] + bytes([content[90_000] ^ 1]) + content[90_001:])
    (told,) = await looked("checksums")
    assert told.startswith(f"{name} is damaged: files.tar.zst cannot be read: ")
    assert not results.read(state, "pa").verifications["checksums"].success
    pack.write_bytes(content)
    # A file whose snapshot somebody has forgotten, and a repository that is away, of which nothing is said.
    (house.real.path / "config").rename(house.directory / "config")
    with pytest.raises(TaskError, match="is no repository"):
        await looked("checksums")
    (house.directory / "config").rename(house.real.path / "config")
    part = next(each for each in house.repository.snapshots(["upkeeper"], NEVER) if each.path == "/files.tar.zst")
    house.real.run("forget", part.id)
    (told,) = await looked("checksums")
    assert told.endswith("has no snapshot of its file files.tar.zst")


async def test_what_fails_leaves_no_set_and_nothing_of_one(house: House) -> None:
    (house.directory / "n8n.sqlite").rename(house.directory / "away")
    backup = house.backup
    plan_before = await task(house.series, owner=house.owner, clock=lambda: house.now).targets()
    assert plan_before == ["pa"]
    with pytest.raises(TaskError):
        await backup.plan("pa")
    (house.directory / "away").rename(house.directory / "n8n.sqlite")
    plan = await backup.plan("pa")
    house.series.make.files.append(str(house.directory / "no-such"))  # type: ignore[union-attr]
    effects = await applied(backup, plan)
    assert "no set was made: files:" in str(effects[-1])
    assert (house.sets(), house.snapshots(), house.notes()) == ([], 0, [])


def test_half_of_a_stream_makes_no_snapshot_and_leaves_no_lock(house: House) -> None:
    """restic takes the end of its input for the end of the file, with exit status 0."""
    partial = ResticPartial(house.directory / "n", "s", repository=house.repository, backup="pa")
    partial.begin("pa", house.owner, house.now)
    into = partial.into(house.owner, house.now)
    with pytest.raises(ZeroDivisionError), into.sink("files.tar.zst", "files", NEVER) as sink:  # noqa: PT012
        sink.write(os.urandom(3_000_000))
        raise ZeroDivisionError
    assert house.snapshots() == 0
    assert house.repository.locks(NEVER) == []
    with into.sink("files.tar.zst", "files", NEVER) as sink:
        sink.write(b"x" * 1000)
        file = sink.done()
    assert file.bytes == 1000
    partial.add("files:files", "files", "files", Copied([file]))
    with pytest.raises(TaskError, match="no set was made: sqlite:x is missing"):
        partial.finish(["files:files", "sqlite:x"], "kitchen", "tests", house.now)
    assert (house.snapshots(), partial.path.exists()) == (0, False)


def test_memory_is_flat(house: House) -> None:
    partial = ResticPartial(house.directory / "n", "s", repository=house.repository, backup="pa")
    partial.begin("pa", house.owner, house.now)
    tracemalloc.start()
    try:
        with partial.into(house.owner, house.now).sink("files.tar.zst", "files", NEVER) as sink:
            piece = os.urandom(1024**2)
            for _ in range(48):
                sink.write(piece)
            assert sink.done().bytes == 48 * 1024**2
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024**2
    assert partial.written() == 48 * 1024**2


async def test_a_killed_backup_is_cleared_up_after_by_the_next(house: House) -> None:
    """Also its lock, and the half that restic has made a snapshot of, for its input ended with the process."""
    program = f"""
import sys, os, threading
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[4])!r})
from tests.remediator.tasks.backup.test_snapshots import *
from remediator.tasks.backup.snapshots.partial import ResticPartial
house = object.__new__(House)
series = {house.series.model_dump(mode="json", exclude_unset=True)!r}
repository = Repository(Series.model_validate(series).restic, None)
owner = Owner(host="kitchen", state={house.owner.state!r})
notes = Path(owner.state) / "restic-sets" / "pa"
partial = ResticPartial(notes, "backup-killed", repository=repository, backup="pa")
partial.begin("pa", owner, 1.7e9)
sink = partial.into(owner, 1.7e9).sink("files.tar.zst", "files", threading.Event())
sink.write(os.urandom(3_000_000))
print("written", flush=True)
threading.Event().wait()
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert await asyncio.to_thread(child.stdout.readline) == b"written\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    await wait_until(house.snapshots, equals=1)  # the half
    await wait_until(lambda: house.repository.locks(NEVER), equals=[])
    assert house.sets() == []
    assert house.notes() == ["backup-killed.partial"]
    plan = await house.backup.plan("pa")
    assert [action.kind for action in plan.actions] == ["remove-unfinished", "back-up", "back-up", "finish-set"]
    await applied(house.backup, plan)
    assert len(house.sets()) == 1
    assert (house.snapshots(), house.notes()) == (3, [])


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"copy_to": [{"restic": {"repository": "/r", "password_file": "/p"}}]}, "in a repository already"),
        ({"restic": {"repository": "/r", "password_file": "/p", "tags": ["x"]}}, "is Upkeeper's own"),
        ({"make": {"files": ["/x"], "encrypt": {"age_recipients_file": "/k"}}}, "a restic repository is encrypted"),
        ({"pattern": "a,*"}, "must have no comma"),
        ({"pattern": "a"}, r"must have one \*"),
    ],
)
def test_what_contradicts_itself_is_told(keys: dict[str, Any], why: str) -> None:
    base = {"name": "pa", "restic": {"repository": "/r", "password_file": "/p"}, "make": {"files": ["/x"]}}
    with pytest.raises(ValueError, match=why):
        Series.model_validate({**base, **keys})
