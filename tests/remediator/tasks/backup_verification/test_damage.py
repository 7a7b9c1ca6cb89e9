"""Damage of every kind in every part of a set is found by the proof that claims to find it."""

import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from exporter.backups import manifest as manifests
from exporter.backups.manifest import Manifest, Member
from exporter.inventory.backups import MANIFEST
from remediator.model.task import TaskError
from remediator.tasks.backup_verification.checksums import differences
from remediator.tasks.backup_verification.readable import Unreadable, problems, read_member
from tests.remediator.tasks.backup.series import made, series, task

SEED = 11
STOP = threading.Event()


@pytest.fixture
async def whole(tmp_path: Path) -> Path:
    """A set of a directory and a database."""
    source, sets = tmp_path / "source", tmp_path / "sets"
    source.mkdir()
    sets.mkdir()
    for number in range(5):
        (source / f"file{number}").write_bytes(random.Random(number).randbytes(3000 * number))
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as database:
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        database.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 200,) for _ in range(200)])
        database.execute("CREATE INDEX i ON t (text)")
        database.commit()
    make = {"files": [str(source)], "sqlite": [{"name": "x", "path": str(tmp_path / "x.sqlite")}]}
    return await made(task(series(sets, make)), sets)


def only(manifest: Manifest, member: Member) -> Manifest:
    return replace(manifest, members=[member])


def flips(file: Path, rng: random.Random, count: int) -> Iterator[int]:
    """Changes one byte of a file and puts it back, at both ends and at places between; where it was."""
    data = file.read_bytes()
    for at in {0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(count))}:
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(bytes([data[at] ^ (1 << rng.randrange(8))]))
        yield at
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(data[at : at + 1])


async def test_a_whole_set_is_whole(whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    assert differences(whole, manifest, STOP) == []
    wrong, found = problems(whole, manifest, STOP)
    assert (wrong, found) == ([], ["sqlite:x: 200 rows", "files: 6 entries"])


async def test_any_flipped_byte_changes_a_checksum(whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    rng = random.Random(SEED)
    for file in manifest.files:
        for at in flips(whole / file.path, rng, 40):
            assert differences(whole, manifest, STOP) == [f"{file.path} has another content"], (SEED, at)
    assert differences(whole, manifest, STOP) == []


async def test_any_cut_is_found_by_its_size(whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    rng = random.Random(SEED)
    for file in manifest.files:
        data = (whole / file.path).read_bytes()
        for end in {0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(20))}:
            (whole / file.path).write_bytes(data[:end])
            assert differences(whole, manifest, STOP) == [f"{file.path} has {end} bytes instead of {len(data)}"]
        (whole / file.path).write_bytes(data + b"\0")
        assert len(differences(whole, manifest, STOP)) == 1
        (whole / file.path).write_bytes(data)


def missing(whole: Path) -> str:
    (whole / "files.tar.zst").unlink()
    return "files.tar.zst is missing"


def swapped(whole: Path) -> str:
    (whole / "files.tar.zst").rename(whole / "aside")
    (whole / "sqlite" / "x.sqlite").rename(whole / "files.tar.zst")
    (whole / "aside").rename(whole / "sqlite" / "x.sqlite")
    return "sqlite/x.sqlite has "


def added(whole: Path) -> str:
    (whole / "sqlite" / "more").touch()
    return "sqlite/more is not in the manifest"


def hidden(whole: Path) -> str:
    (whole / ".upkeeper-journal.json").touch()
    return ".upkeeper-journal.json is not in the manifest"


def linked(whole: Path) -> str:
    (whole / "files.tar.zst").rename(whole.parent / "elsewhere")
    (whole / "files.tar.zst").symlink_to(whole.parent / "elsewhere")
    return "files.tar.zst is no file any more"


def linked_folder(whole: Path) -> str:
    shutil.move(whole / "sqlite", whole.parent / "elsewhere")
    (whole / "sqlite").symlink_to(whole.parent / "elsewhere")
    return "sqlite is not in the manifest"


def fifo(whole: Path) -> str:
    (whole / "files.tar.zst").unlink()
    os.mkfifo(whole / "files.tar.zst")
    return "files.tar.zst is no file any more"


@pytest.mark.parametrize("damage", [missing, swapped, added, hidden, linked, linked_folder, fifo])
async def test_the_files_are_those_of_the_manifest(whole: Path, damage: Callable[[Path], str]) -> None:
    manifest, _ = manifests.read(whole)
    expected = damage(whole)
    assert any(found.startswith(expected) for found in differences(whole, manifest, STOP))


def unpacked(file: Path) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(file.read_bytes()) as reader:
        return reader.read()


async def test_an_archive_is_read_to_its_last_byte(whole: Path) -> None:
    """Every byte of it: zstd has a checksum of the content, and each header of a tar one of its own.

    A few bits of zstd's own say nothing: with them changed the content is what it was, to the byte.
    """
    manifest, _ = manifests.read(whole)
    archive = manifest.members[1]
    file = whole / "files.tar.zst"
    data = file.read_bytes()
    content, harmless = unpacked(file), 0
    for at in flips(file, random.Random(SEED), 150):
        if not problems(whole, only(manifest, archive), STOP)[0]:
            assert unpacked(file) == content, f"a changed byte at {at} was not noticed"
            harmless += 1
    assert harmless <= 3
    for end in range(0, len(data), 997):
        file.write_bytes(data[:end])
        with pytest.raises(Unreadable, match="ends early"):
            read_member(whole, archive, STOP)
    file.write_bytes(data + b"more")
    with pytest.raises(Unreadable, match="goes on after its end"):
        read_member(whole, archive, STOP)


async def test_a_database_without_a_page_or_a_row_is_not_readable(whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    member, file = manifest.members[0], whole / "sqlite" / "x.sqlite"
    data = file.read_bytes()
    for end in (0, 100, 4096, len(data) - 4096):
        file.write_bytes(data[:end])
        with pytest.raises(Unreadable):
            read_member(whole, member, STOP)
    file.write_bytes(data)
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM t WHERE id = 7")
        database.commit()
    with pytest.raises(Unreadable, match="t has 199 rows, where 200 were backed up"):
        read_member(whole, member, STOP)


async def test_a_member_of_another_kind_is_not_called_damaged(whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    newer = manifests.Member("quantum", "x", [])
    with pytest.raises(TaskError, match="a newer one made the set"):
        read_member(whole, newer, STOP)
    assert (whole / MANIFEST).exists()
    assert manifest.members[0].kind == "sqlite"
