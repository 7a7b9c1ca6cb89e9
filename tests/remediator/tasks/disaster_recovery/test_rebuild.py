"""Where what a set holds comes back, and what it must not follow."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from exporter.backups.manifest import read
from exporter.inventory.drills import DrillService
from remediator.model.task import TaskError
from remediator.tasks.disaster_recovery.rebuild import place, put_database
from remediator.tasks.restoring.parts import chosen
from remediator.tasks.restoring.sets import ChosenSet
from tests.remediator.tasks.backup.series import made, series, task

STOP = threading.Event()


@pytest.fixture
async def found(tmp_path: Path) -> ChosenSet:
    """A set with a SQLite database of one row."""
    sets = tmp_path / "sets"
    sets.mkdir()
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (1)")
        database.commit()
    make = {"sqlite": [{"name": "x", "path": str(tmp_path / "x.sqlite")}]}
    directory = await made(task(series(sets, make)), sets)
    manifest, digest = read(directory)
    return ChosenSet(directory.name, directory, manifest, digest, None)


def put(found: ChosenSet, volume: Path, below: str) -> None:
    put_database(found, chosen(found.manifest, ["sqlite:x"])[0], volume, below, STOP)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM t").fetchone()[0])


def test_a_database_takes_the_place_of_what_was_archived_with_its_owner_and_mode(
    found: ChosenSet, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    (volume / "db").mkdir(parents=True)
    for ending in ("", "-wal", "-shm", "-journal"):
        (volume / "db" / f"n8n.sqlite{ending}").write_text("as it was read under a writer")
    (volume / "db" / "n8n.sqlite").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(volume / "db" / "n8n.sqlite", 1000, 1001)
    put(found, volume, "db/n8n.sqlite")
    at = (volume / "db" / "n8n.sqlite").stat()
    assert at.st_mode & 0o7777 == 0o640
    if os.geteuid() == 0:
        assert (at.st_uid, at.st_gid) == (1000, 1001)
    assert [path.name for path in (volume / "db").iterdir()] == ["n8n.sqlite"]
    assert rows(volume / "db" / "n8n.sqlite") == 1


def test_no_link_of_the_archive_leads_out_of_the_volume(found: ChosenSet, tmp_path: Path) -> None:
    volume, away = tmp_path / "volume", tmp_path / "away"
    volume.mkdir()
    away.mkdir()
    (away / "n8n.sqlite").write_text("not ours")
    (volume / "db").symlink_to(away)
    with pytest.raises(TaskError, match=r"sqlite:x cannot be put at db/n8n\.sqlite of its volume"):
        put(found, volume, "db/n8n.sqlite")
    (volume / "n8n.sqlite").symlink_to(away / "n8n.sqlite")
    put(found, volume, "n8n.sqlite")
    assert not (volume / "n8n.sqlite").is_symlink()
    assert (away / "n8n.sqlite").read_text() == "not ours"
    assert sorted(path.name for path in away.iterdir()) == ["n8n.sqlite"]


def test_a_file_of_a_container_is_in_the_innermost_volume() -> None:
    service = DrillService.model_validate(
        {"name": "app", "image": "a", "volumes": {"outer": "/data", "inner": "/data/db", "other": "/else"}}
    )
    assert place(service, "/data/db/x.sqlite") == ("inner", "x.sqlite")
    assert place(service, "/data/x/y.sqlite") == ("outer", "x/y.sqlite")
