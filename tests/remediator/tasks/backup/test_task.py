"""backup: what it plans, how a set comes to be, and what an interruption leaves."""

import hashlib
import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.backups.directory import BackupDirectory
from exporter.inventory.backups import MANIFEST
from remediator.model.task import Effect, TaskError
from remediator.tasks.backup.journal import JOURNAL, Owner
from tests.remediator.tasks.backup.series import OWNER, applied, made, series, task


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "sets").mkdir()
    (tmp_path / "pa").mkdir()
    (tmp_path / "pa" / ".env").write_text("KEY=secret\n")
    (tmp_path / "pa" / "compose.yaml").write_text("services: {}\n")
    with closing(sqlite3.connect(tmp_path / "n8n.sqlite")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE credentials (id INTEGER PRIMARY KEY, secret TEXT)")
        database.execute('CREATE TABLE "odd ""name" (x)')
        database.executemany("INSERT INTO credentials (secret) VALUES (?)", [(f"s{n}",) for n in range(100)])
        database.commit()
    return tmp_path


def everything(house: Path) -> dict[str, object]:
    return {
        "files": [str(house / "pa")],
        "sqlite": [{"name": "n8n", "path": str(house / "n8n.sqlite")}],
    }


async def test_a_set_holds_what_its_manifest_says(house: Path) -> None:
    sets = house / "sets"
    backup = task(series(sets, everything(house)))
    new = await made(backup, sets)
    manifest, _ = manifests.read(new)
    assert (manifest.backup, manifest.host, manifest.made_by) == ("pa", "kitchen", "upkeeper of the tests")
    assert [member.key for member in manifest.members] == ["sqlite:n8n", "files:files"]
    assert {file.path for file in manifest.files} == {"sqlite/n8n.sqlite", "files.tar.zst"}
    for file in manifest.files:
        data = (new / file.path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256)
    assert manifest.members[0].facts["rows"] == {"credentials": 100, 'odd "name': 0}
    assert sorted(path.name for path in new.iterdir()) == ["files.tar.zst", "sqlite", MANIFEST]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [new, *new.rglob("*")])
    (found,) = BackupDirectory(series(sets, everything(house))).read()
    assert found.state == "complete"


async def test_files_keep_what_they_are_marked_with(house: Path) -> None:
    file = house / "pa" / ".env"
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    os.link(file, house / "pa" / "linked")
    (house / "pa" / "link").symlink_to(".env")
    with (house / "pa" / "sparse").open("wb") as sparse:
        sparse.truncate(64 * 1024**2)
    sets = house / "sets"
    new = await made(task(series(sets, {"files": [str(house / "pa")]})), sets)
    assert (new / "files.tar.zst").stat().st_size < 10_000
    out = house / "out"
    out.mkdir()
    subprocess.run(["tar", "--zstd", "-xpf", new / "files.tar.zst", "-C", out], check=True)
    there = out / str(house / "pa").lstrip("/")
    got = there / ".env"
    assert (got.stat().st_mode & 0o777, got.stat().st_mtime_ns) == (0o640, 1_700_000_000_123_456_789)
    assert got.stat().st_ino == (there / "linked").stat().st_ino
    assert (there / "link").readlink() == Path(".env")
    assert (there / "sparse").stat().st_blocks == 0
    (member,) = manifests.read(new)[0].members
    assert member.facts["entries"] == 6


async def test_a_database_is_of_one_moment_while_it_is_written_to(house: Path) -> None:
    """Both tables always have the same number of rows, in each moment that any reader can see."""
    database = house / "busy.sqlite"
    end = threading.Event()
    written = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript("CREATE TABLE a (x); CREATE TABLE b (x)")
            while not end.is_set():
                for _ in range(50):
                    connection.execute("INSERT INTO a VALUES (zeroblob(500))")
                    connection.execute("INSERT INTO b VALUES (zeroblob(500))")
                connection.commit()
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        written.wait(30)
        new = await made(
            task(series(house / "sets", {"sqlite": [{"name": "b", "path": str(database)}]})), house / "sets"
        )
    finally:
        end.set()
        writer.join()
    rows = manifests.read(new)[0].members[0].facts["rows"]
    assert rows["a"] == rows["b"] > 0


async def test_twice_in_a_row_makes_two_whole_sets(house: Path) -> None:
    sets = house / "sets"
    backup = task(series(sets, everything(house)), clock=lambda: 1_795_485_600.9)
    first, second = await made(backup, sets), await made(backup, sets)
    assert (first.name, second.name) == ("backup-2026-11-24T020000Z", "backup-2026-11-24T020001Z")
    assert {manifests.read(each)[0].backup for each in (first, second)} == {"pa"}


async def test_planning_changes_nothing(house: Path) -> None:
    plan = await task(series(house / "sets", everything(house))).plan("pa")
    assert [(action.kind, action.object) for action in plan.actions][:-1] == [
        ("back-up", "sqlite:n8n"), ("back-up", "files:files"),
    ]  # fmt: skip
    assert list((house / "sets").iterdir()) == []


async def test_each_action_may_be_done_twice(house: Path) -> None:
    sets = house / "sets"
    backup = task(series(sets, everything(house)))
    plan = await backup.plan("pa")
    for action in plan.actions:
        first, again = await backup.apply("pa", action), await backup.apply("pa", action)
        assert first.state == again.state == "done"
    (new,) = sets.iterdir()
    manifest, _ = manifests.read(new)
    assert len(manifest.files) == 2


async def test_one_part_that_fails_leaves_no_set(house: Path) -> None:
    sets = house / "sets"
    (house / "broken.sqlite").write_bytes(b"no database, but long enough to be looked at" * 100)
    make = {**everything(house), "sqlite": [{"name": "broken", "path": str(house / "broken.sqlite")}]}
    effects = await applied(task(series(sets, make)))
    assert effects[0] == f"SQLite cannot copy {house}/broken.sqlite: file is not a database"
    assert isinstance(effects[1], Effect)
    assert effects[1].state == "skipped"
    assert isinstance(effects[2], str)
    assert effects[2].startswith("no set was made: sqlite:broken: SQLite cannot copy")
    assert list(sets.iterdir()) == []


async def test_what_a_killed_run_left_is_removed_by_the_next(house: Path) -> None:
    sets = house / "sets"
    backup = task(series(sets, everything(house)))
    killed = await backup.plan("pa")
    await backup.apply("pa", killed.actions[0])
    (left,) = sets.iterdir()
    assert left.name.endswith(".partial")
    plan = await backup.plan("pa")
    assert (plan.actions[0].kind, plan.actions[0].object) == ("remove-unfinished", left.name)
    effects = await applied(backup, plan)
    assert isinstance(effects[0], Effect)
    assert effects[0].freed_bytes > 0
    (whole,) = sets.iterdir()
    assert (whole / MANIFEST).exists()


class Killed(BaseException):
    """Nothing more is done."""


def killed(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("step", ["manifest", "journal gone"])
async def test_what_only_lacks_its_name_is_finished(house: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = house / "sets"
    backup = task(series(sets, everything(house)))
    plan = await backup.plan("pa")
    for action in plan.actions[:-1]:
        await backup.apply("pa", action)
    with monkeypatch.context() as patch:
        if step == "manifest":
            patch.setattr("remediator.tasks.backup.partial.manifests.read", killed)
        else:
            patch.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            await backup.apply("pa", plan.actions[-1])
    (left,) = sets.iterdir()
    assert (left / MANIFEST).exists()
    assert BackupDirectory(series(sets, everything(house), settle=0)).read()[0].state == "incomplete"
    effects = await applied(backup)
    assert all(isinstance(effect, Effect) and effect.state == "done" for effect in effects)
    assert len(list(sets.iterdir())) == 2
    assert not any(path.name.endswith(".partial") or (path / JOURNAL).exists() for path in sets.iterdir())


@pytest.mark.parametrize("owner", [Owner(host="garage", state=OWNER.state), Owner(host=OWNER.host, state="/other")])
async def test_what_others_make_is_left_alone(house: Path, owner: Owner) -> None:
    sets = house / "sets"
    other = task(series(sets, everything(house)), owner=owner)
    begun = await other.plan("pa")
    await other.apply("pa", begun.actions[0])
    (theirs,) = sets.iterdir()
    backup = task(series(sets, everything(house)))
    plan = await backup.plan("pa")
    assert [action.kind for action in plan.actions] == ["back-up", "back-up", "finish-set"]
    assert plan.notes[0] == f"{theirs.name} belongs to {owner.host}, backup pa: it is left alone."
    await made(backup, sets)
    for action in begun.actions[1:]:
        assert (await other.apply("pa", action)).state == "done"


@pytest.fixture
def foreign(house: Path) -> Iterator[Path]:
    directory = house / "sets" / "backup-mine.partial"
    directory.mkdir()
    (directory / "precious").touch()
    yield directory
    assert (directory / "precious").exists()


async def test_a_partial_set_of_a_script_is_left_alone(house: Path, foreign: Path) -> None:
    plan = await task(series(house / "sets", everything(house))).plan("pa")
    assert plan.notes[0] == f"{foreign.name} is not ours, or lost its journal: it is left alone."
    assert [action.kind for action in plan.actions] == ["back-up", "back-up", "finish-set"]


async def test_errors_say_what_to_do(house: Path) -> None:
    with pytest.raises(TaskError, match=r"/nowhere is not there: make it, or mount what it should be on"):
        await task(series(Path("/nowhere"), everything(house))).plan("pa")
    with pytest.raises(TaskError, match=r"is not there; correct or remove it in make\.files"):
        await task(series(house / "sets", {"files": [str(house / "no-such")]})).plan("pa")
    with pytest.raises(TaskError, match=r"cannot read /no\.sqlite: No such file or directory"):
        await task(series(house / "sets", {"sqlite": [{"name": "x", "path": "/no.sqlite"}]})).plan("pa")


async def test_no_room_is_said_before_anything_is_written(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = os.statvfs(house)
    small = os.statvfs_result((free.f_bsize, 4096, free.f_blocks, 10, 10, *tuple(free)[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: small)
    with pytest.raises(TaskError, match=r"the next set takes about .*, and .* has 40 KiB free: make room for"):
        await task(series(house / "sets", everything(house))).plan("pa")
    assert list((house / "sets").iterdir()) == []


async def test_measured_by_the_age_of_the_newest(house: Path) -> None:
    sets = house / "sets"
    backup = task(series(sets, everything(house)))
    before = await backup.measure("pa")
    assert (before.breached, before.detail) == (True, "there is no set")
    await made(backup, sets)
    after = await backup.measure("pa")
    assert not after.breached
    assert backup.improved(before, after)
    assert after.values["sets"] == 1
    json.dumps(after.model_dump(mode="json"))
