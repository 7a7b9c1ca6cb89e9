"""btrfs subvolumes and snapshots: device numbers of their own, but no other mounts. On a real btrfs."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.backups.directory import BackupDirectory
from exporter.logdirs.usage import measure
from tests.exporter.backups.backupdir import DAY, backup, make_file, make_set, states
from tests.exporter.logdirs.test_usage import directory
from tests.filesystems import bound, mounted
from tests.remediator.tasks.log_rotation.logdir import content, done, lines, names, rotated, run, task, write_log

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "btrfs", 0) as disk:
        yield disk


def subvolume(path: Path) -> Path:
    subprocess.run(["btrfs", "-q", "subvolume", "create", str(path)], check=True)
    assert path.stat().st_dev != path.parent.stat().st_dev
    return path


def snapshot(source: Path, path: Path) -> Path:
    subprocess.run(["btrfs", "-q", "subvolume", "snapshot", "-r", str(source), str(path)], check=True)
    return path


def test_a_directory_of_read_only_snapshots_has_its_sets(btrfs: Path) -> None:
    data, sets = subvolume(btrfs / "data"), btrfs / "sets"
    sets.mkdir()
    make_file(data, "db.sql", 5000)
    for day in (3, 2, 1):
        snapshot(data, sets / time.strftime("daily-%Y-%m-%d", time.gmtime(time.time() - day * DAY)))
    found = BackupDirectory(backup(sets, pattern="daily-*")).read()
    assert sorted(states(found).values()) == ["complete"] * 3
    assert {each.bytes for each in found} == {5000}


def test_a_subvolume_deep_in_a_set_belongs_to_it_and_a_mount_does_not(btrfs: Path) -> None:
    made = make_set(btrfs, "b-1", 300)
    make_file(subvolume(made / "inner"), "more.sql", 700)
    (made / "other").mkdir()
    (made / "bound").mkdir()
    make_set(btrfs, "elsewhere", 5)
    with mounted(made / "other", "tmpfs", 2**20), bound(btrfs / "elsewhere", made / "bound"):
        make_file(made / "other", "huge.sql", 9000)
        (found,) = BackupDirectory(backup(btrfs, pattern="b-*")).read()
    assert found.bytes == 1000


def test_a_log_directory_holds_what_its_subvolumes_hold_and_no_other_mount(btrfs: Path) -> None:
    root = subvolume(btrfs / "logs")
    (root / "a.log").write_bytes(b"x" * 100)
    inner = subvolume(root / "inner")
    (inner / "b.log").write_bytes(b"x" * 1000)
    snapshot(inner, root / "snapshot")
    outside = btrfs / "outside"
    outside.mkdir()
    (outside / "c.log").write_bytes(b"x" * 10_000)
    (root / "bound").mkdir()
    (root / "tmpfs").mkdir()
    with bound(outside, root / "bound"), mounted(root / "tmpfs", "tmpfs", 2**20):
        (root / "tmpfs" / "d.log").write_bytes(b"x" * 100_000)
        usage = measure(directory(root, recursive=True))
    assert (usage.files, usage.apparent_bytes) == (3, 2100)


async def test_logs_in_a_subvolume_are_rotated_and_those_in_a_read_only_snapshot_left_alone(btrfs: Path) -> None:
    inner = subvolume(btrfs / "inner")
    before = write_log(inner / "app.log")
    frozen = snapshot(inner, btrfs / "frozen")
    seen = lines(frozen)
    rotation = task(btrfs, recursive=True)
    results = await run(rotation)
    assert [kind for kind, _ in done(results)] == ["rotate", "compress"]
    (copy,) = rotated(inner)
    assert content(copy) == before
    assert (names(frozen), lines(frozen)) == (["app.log"], seen)
    assert any("cannot be written to): frozen" in note for note in (await rotation.plan("logs")).notes)
