"""Into a directory: all comes back as it was, and nothing at all from a set that is not whole."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.backups import proofs
from exporter.backups.manifest import digest
from exporter.inventory.backups import MANIFEST
from remediator.model.task import Effect, TaskError
from remediator.tasks.restore.task import Restore
from tests.helpers import require_program
from tests.remediator.tasks.backup.series import made, series, task
from tests.remediator.tasks.restore.house import House, everything

SEED = 21


@pytest.fixture
async def house(tmp_path: Path) -> House:
    filled = House(tmp_path)
    await filled.add()
    return filled


def states(effects: list[Effect | str]) -> list[str]:
    return [effect.state if isinstance(effect, Effect) else effect for effect in effects]


async def test_all_comes_back_as_it_was(house: House) -> None:
    newest = await house.add()
    before = everything(house.sets)
    plan = await house.plan()
    assert [(action.kind, action.object) for action in plan.actions] == [
        ("check-set", newest.name),
        ("restore-part", "sqlite:x"),
        ("restore-part", "files"),
        ("finish-restore", str(house.out)),
    ]
    assert not house.out.exists(), "a plan changes nothing"
    assert states(await house.applied(plan)) == ["done"] * 4
    assert everything(house.restored) == everything(house.data)
    assert (house.out / "sqlite" / "x.sqlite").read_bytes() == (newest / "sqlite" / "x.sqlite").read_bytes()
    assert sorted(each.name for each in house.out.iterdir()) == ["files", "sqlite"]
    assert house.out.stat().st_mode & 0o777 == 0o700
    assert everything(house.sets) == before, "a set is only read"


async def test_an_older_set_and_a_part_of_it(house: House) -> None:
    (older,) = house.sets.iterdir()
    (house.data / "file").unlink()
    await house.add()
    parts = [f"file:{house.data}/deep/er", f"file:{house.data}/file"]
    assert states(await house.applied(await house.plan(set=older.name, only=parts))) == ["done"] * 4
    names = sorted(os.fspath(path.relative_to(house.restored)) for path in house.restored.rglob("*"))
    assert names == ["deep", "deep/er", "deep/er/hard", "deep/er/name with \n line", "file"]
    assert not (house.out / "sqlite").exists()


@pytest.mark.parametrize(
    ("only", "told"),
    [
        ("volume:n8n", "volume:n8n is not in the set; it has sqlite:x, files"),
        ("sqlite:y", "sqlite:y is not in the set; did you mean sqlite:x?"),
        ("file:/etc/passwd", "/etc/passwd is not among the files of the set"),
        ("file:{data}/../../etc", "is not among the files of the set"),
        ("everything", "'everything' names no part of a set; write file:PATH, volume:NAME"),
    ],
)
async def test_a_part_that_is_not_there(house: House, only: str, told: str) -> None:
    with pytest.raises(TaskError) as error:
        await house.plan(only=only.format(data=house.data))
    assert told in str(error.value)


async def test_a_directory_that_must_not_be_filled(house: House, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").touch()
    for to, told in {
        tmp_path / "full": "is not empty",
        tmp_path / "link": "is there, and is no directory",
        tmp_path / "file": "is there, and is no directory",
        tmp_path / "no" / "where": "is not there: make it first",
        tmp_path / ".." / "x": "without ..",
        Path("here/there"): "must be an absolute path",
    }.items():
        with pytest.raises(TaskError, match=told):
            await house.plan(to=str(to))
    plan = await house.plan()
    house.out.mkdir()
    (house.out / "came meanwhile").touch()
    assert states(await house.applied(plan))[0] == f"{house.out} is not empty; name a directory that is not there yet"
    assert [each.name for each in house.out.iterdir()] == ["came meanwhile"]


def flipped(new: Path, name: str) -> None:
    file = new / name
    data = bytearray(file.read_bytes())
    data[random.Random(SEED).randrange(len(data))] ^= 1
    file.write_bytes(data)


def cut(new: Path, name: str) -> None:
    os.truncate(new / name, (new / name).stat().st_size // 2)


def missing(new: Path, name: str) -> None:
    (new / name).unlink()


def linked(new: Path, name: str) -> None:
    shutil.move(new / name, new.parent.parent / "elsewhere")
    (new / name).symlink_to(new.parent.parent / "elsewhere")


@pytest.mark.parametrize("damage", [flipped, cut, missing, linked])
@pytest.mark.parametrize("name", ["files.tar.zst", "sqlite/x.sqlite", MANIFEST])
async def test_nothing_is_restored_of_a_damaged_set(
    house: House, damage: Callable[[Path, str], None], name: str
) -> None:
    (new,) = house.sets.iterdir()
    plan = await house.plan()
    damage(new, name)
    effects = await house.applied(plan)
    assert isinstance(effects[0], str)
    without = name == MANIFEST and damage in (missing, linked)  # then it is no complete set at all
    assert ("is still being written" if without else name) in effects[0], effects
    assert "done" not in states(effects)
    assert not house.out.exists(), "it is refused before anything is made"


async def test_a_set_that_must_not_be_used(house: House, tmp_path: Path) -> None:
    (new,) = house.sets.iterdir()
    proofs.record(new, digest(new), "checksums", proofs.Shown(False, house.now, "x is missing"))
    with pytest.raises(TaskError, match=rf"{new.name} is damaged \(checksums: x is missing\)"):
        await house.plan()
    (house.sets / "backup-2026-11-24T000000Z.partial").mkdir()
    with pytest.raises(TaskError, match="the set backup-2026-11-24T000000Z is still being written"):
        await house.plan(set="backup-2026-11-24T000000Z")
    with pytest.raises(TaskError, match="pa has no set 'backup-x'"):
        await house.plan(set="backup-x")
    with pytest.raises(TaskError, match=r"pa has no set '\.\./data'"):
        await house.plan(set="../data")


async def test_a_set_that_is_damaged_between_the_check_and_its_use(house: House) -> None:
    """What was read is hashed again as it is used: then nothing says that the directory is whole."""
    (new,) = house.sets.iterdir()
    plan = await house.plan()
    assert isinstance(await house.restore.apply("pa", plan.actions[0]), Effect)
    flipped(new, "sqlite/x.sqlite")
    for action, told in zip(plan.actions[1:4:2], ("sqlite/x.sqlite has another content", "is not whole"), strict=True):
        with pytest.raises(TaskError, match=told):
            await house.restore.apply("pa", action)


async def test_an_interrupted_restore_goes_on(house: House) -> None:
    plan = await house.plan()
    for action in plan.actions[:2]:
        await house.restore.apply("pa", action)
    (house.out / "files").mkdir()
    (house.out / "files" / "half").touch()
    with pytest.raises(TaskError, match=r"holds an unfinished restore of sqlite:x, files of backup-.*; finish that"):
        await house.plan(only="sqlite:x")
    again = await house.plan()
    assert [action.object for action in again.actions[1:-1]] == ["files"]
    assert "sqlite:x is there already" in again.notes[0]
    assert states(await house.applied(again)) == ["done"] * 3
    assert everything(house.restored) == everything(house.data)
    assert not (house.out / "files" / "half").exists()
    assert (house.out / "sqlite" / "x.sqlite").exists()


async def test_an_encrypted_set_comes_back_plain(house: House, tmp_path: Path) -> None:
    keygen = require_program("age-keygen", "age")
    subprocess.run([keygen, "-o", tmp_path / "key"], check=True, capture_output=True)
    public = subprocess.run([keygen, "-y", tmp_path / "key"], check=True, capture_output=True).stdout
    (tmp_path / "recipients").write_bytes(public)
    encrypt = {"age_recipients_file": str(tmp_path / "recipients")}
    make = {
        "files": [str(house.data)],
        "sqlite": [{"name": "x", "path": str(tmp_path / "x.sqlite")}],
        "encrypt": encrypt,
    }
    new = await made(task(series(house.sets, make), clock=lambda: house.now + 3600), house.sets)
    house.now += 3600
    house.restore = Restore([series(house.sets, make)], clock=lambda: house.now)
    with pytest.raises(TaskError, match=r"is encrypted: name the file of its key in make\.encrypt\.age_identity_file"):
        await house.plan()
    encrypt["age_identity_file"] = str(tmp_path / "key")
    house.restore = Restore([series(house.sets, make)], clock=lambda: house.now)
    plan = await house.plan()
    flipped(new, "files.tar.zst.age")
    assert "files.tar.zst.age has another content" in states(await house.applied(plan))[0]
    assert not house.out.exists()
    flipped(new, "files.tar.zst.age")  # the same bit, so that it is what it was
    assert states(await house.applied(plan)) == ["done"] * 4
    assert everything(house.restored) == everything(house.data)
    assert (house.out / "sqlite" / "x.sqlite").read_bytes()[:15] == b"SQLite format 3"
