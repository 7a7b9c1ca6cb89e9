"""Reading directories of backups, real ones, with whatever may lie in them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.backups.directory import BackupDirectory
from exporter.inventory.backups import MANIFEST
from exporter.logdirs.usage import MAX_DEPTH
from tests.exporter.backups.backupdir import DAY, backup, by_name, make_file, make_set, states
from tests.exporter.fakes import FakeClock
from tests.helpers import missing, wait_until


def test_sets_that_are_directories(tmp_path: Path) -> None:
    make_set(tmp_path, "backup-a", 300, days=2, files=3)
    make_set(tmp_path, "backup-b/nested", 50, days=1)
    make_set(tmp_path, "other", 70)
    found = by_name(BackupDirectory(backup(tmp_path, pattern="backup-*")).read())
    assert found.keys() == {"backup-a", "backup-b"}
    assert (found["backup-a"].bytes, found["backup-a"].state) == (300, "complete")
    assert found["backup-a"].date == pytest.approx(time.time() - 2 * DAY, abs=60)
    assert found["backup-b"].bytes == 50


def test_sets_that_are_files(tmp_path: Path) -> None:
    make_file(tmp_path, "db-1.sql.gz", 10)
    make_file(tmp_path, "db-2.sql.gz", 0)
    make_file(tmp_path, "db-1.log")
    make_set(tmp_path, "dir.sql.gz")
    found = BackupDirectory(backup(tmp_path, kind="files", pattern="*.sql.gz")).read()
    assert states(found) == {"db-1.sql.gz": "complete", "db-2.sql.gz": "incomplete"}


def test_a_file_beside_directories_is_no_set_unless_files_are_asked_for(tmp_path: Path) -> None:
    """As a log, or the checksum of a set."""
    make_file(tmp_path, "b-1.log")
    assert states(BackupDirectory(backup(tmp_path)).read()) == {"b-1.log": "complete"}
    make_set(tmp_path, "b-1")
    assert states(BackupDirectory(backup(tmp_path)).read()) == {"b-1": "complete"}
    assert states(BackupDirectory(backup(tmp_path, kind="directories")).read()) == {"b-1": "complete"}
    assert states(BackupDirectory(backup(tmp_path, kind="files")).read()) == {"b-1.log": "complete"}


def test_hidden_and_temporary_names_never_count(tmp_path: Path) -> None:
    for name in ("b-1.partial", "b-2.tmp", ".b-3", "b-4"):
        make_set(tmp_path, name)
    make_file(tmp_path, "c.sql.part")
    found = BackupDirectory(backup(tmp_path)).read()
    assert states(found) == {"b-1": "incomplete", "b-2": "incomplete", "b-4": "complete"}
    of_files = BackupDirectory(backup(tmp_path, pattern="*.sql", settle="5m")).read()
    assert states(of_files) == {"c.sql": "in_progress"}, "the pattern is of the name to come"


def test_a_marker_makes_a_set_complete_at_once(tmp_path: Path) -> None:
    marked = make_set(tmp_path, "b-1")
    directory = BackupDirectory(backup(tmp_path, complete_marker="DONE", settle="5m"))
    (marked / "below").mkdir()
    (marked / "below" / "DONE").touch()
    (marked / "DONE").symlink_to("0.sql")
    assert states(directory.read()) == {"b-1": "in_progress"}, "neither one further down nor a symlink is the marker"
    (marked / "DONE").unlink()
    (marked / "DONE").touch()
    assert states(directory.read()) == {"b-1": "complete"}
    make_file(tmp_path, "file")
    assert states(directory.read()) == {"b-1": "complete"}, "where a marker is asked for, a file is no set"


def test_the_manifest_of_the_backup_task_is_a_marker_too(tmp_path: Path) -> None:
    make_set(tmp_path, "ours")
    (tmp_path / "ours" / MANIFEST).write_text("{}")
    make_set(tmp_path, "foreign")
    assert states(BackupDirectory(backup(tmp_path, settle="5m")).read()) == {
        "ours": "complete",
        "foreign": "in_progress",
    }
    strict = BackupDirectory(backup(tmp_path, settle="0s", complete_marker=MANIFEST))
    assert states(strict.read()) == {"ours": "complete", "foreign": "incomplete"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    for name in (b"b-2026-11-20\n2", b"b-\xff\xfe", b"b- ", "b-ä".encode()):
        os.mkdir(bytes(tmp_path) + b"/" + name)
        with open(bytes(tmp_path) + b"/" + name + b"/\xff\n", "wb") as file:
            file.write(b"12345")
    found = BackupDirectory(backup(tmp_path, pattern="b-*")).read()
    assert sorted(os.fsencode(each.name) for each in found) == [
        b"b- ",
        b"b-2026-11-20\n2",
        b"b-\xc3\xa4",
        b"b-\xff\xfe",
    ]
    assert {each.bytes for each in found} == {5}


def test_symlinks_are_neither_sets_nor_followed(tmp_path: Path) -> None:
    outside = make_set(tmp_path, "outside", 1000)
    sets = tmp_path / "sets"
    (make_set(sets, "b-1", 100) / "link").symlink_to(outside)
    (sets / "b-1" / "file").symlink_to(outside / "0.sql")
    (sets / "latest").symlink_to("b-1")
    (sets / "latest-file").symlink_to(outside / "0.sql")
    (sets / "dangling").symlink_to("nowhere")
    found = by_name(BackupDirectory(backup(sets)).read())
    assert {name: each.bytes for name, each in found.items()} == {"b-1": 100}
    (tmp_path / "way").symlink_to(sets)
    assert by_name(BackupDirectory(backup(tmp_path / "way")).read()).keys() == {"b-1"}


def test_a_pipe_or_socket_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(make_set(tmp_path, "b-1") / "pipe")
    assert states(BackupDirectory(backup(tmp_path)).read()) == {"b-1": "complete"}


def test_hard_links_count_once_in_a_set_and_in_each_set(tmp_path: Path) -> None:
    first = make_set(tmp_path, "b-1", 100)
    os.link(first / "0.sql", first / "again")
    os.link(first / "0.sql", make_set(tmp_path, "b-2", 20) / "shared")
    found = by_name(BackupDirectory(backup(tmp_path)).read())
    assert (found["b-1"].bytes, found["b-2"].bytes) == (100, 120)


async def test_a_new_set_that_links_to_an_old_one_does_not_make_that_look_new(tmp_path: Path) -> None:
    """As rsync --link-dest and rsnapshot do."""
    old = make_set(tmp_path, "b-1", 100)
    made = old.stat().st_ctime
    await wait_until(lambda: time.time() > made + 0.5)
    (tmp_path / "b-2").mkdir()
    os.link(old / "0.sql", tmp_path / "b-2" / "0.sql")
    linked = (old / "0.sql").stat().st_ctime
    directory = BackupDirectory(backup(tmp_path, settle="200ms"), FakeClock(linked + 0.1))
    assert states(directory.read()) == {"b-1": "complete", "b-2": "in_progress"}


def test_a_copy_that_keeps_old_times_is_seen_to_be_written(tmp_path: Path) -> None:
    make_set(tmp_path, "b-1", days=30)
    make_file(tmp_path, "b-2", days=30)
    assert states(BackupDirectory(backup(tmp_path, settle="5m")).read()) == {"b-1": "in_progress"}
    assert states(BackupDirectory(backup(tmp_path, settle="5m", kind="files")).read()) == {"b-2": "in_progress"}


def test_a_time_of_the_future_in_a_set_does_not_keep_it_from_being_complete(tmp_path: Path) -> None:
    make_file(make_set(tmp_path, "b-2026-11-20", 100), "odd", 10, days=-1000)
    later = FakeClock(time.time() + 301)
    found = by_name(BackupDirectory(backup(tmp_path, settle="5m"), later).read())
    assert found["b-2026-11-20"].state == "complete"
    assert found["b-2026-11-20"].date is not None
    assert found["b-2026-11-20"].date <= later.now


def test_a_missing_directory_or_a_file_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BackupDirectory(backup(tmp_path / "gone")).read()
    make_file(tmp_path, "file")
    with pytest.raises(NotADirectoryError):
        BackupDirectory(backup(tmp_path / "file")).read()


def test_endless_nesting_is_an_error(tmp_path: Path) -> None:
    deep = tmp_path / "b"
    deep.mkdir()
    handle = os.open(deep, os.O_RDONLY)
    for _ in range(MAX_DEPTH + 1):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="nested deeper than"):
        BackupDirectory(backup(tmp_path)).read()
    assert len(os.listdir("/proc/self/fd")) == before


_AS_NOBODY = """
import os, sys
from tests.exporter.backups.backupdir import backup, by_name
from exporter.backups.directory import BackupDirectory
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for marker in (None, "DONE"):
    found = by_name(BackupDirectory(backup(sys.argv[1], complete_marker=marker)).read())
    print(sorted((name, each.state, each.bytes) for name, each in found.items()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_permissions_deny() -> None:
    """Not below tmp_path, which only its owner may enter."""
    top = Path(f"/tmp/upkeeper-test-{os.getpid()}")
    top.mkdir()
    try:
        make_set(top, "closed").chmod(0o700)
        (make_set(top, "half") / "below").mkdir(mode=0o700)
        (make_set(top, "marked") / "below").mkdir(mode=0o700)
        (top / "marked" / "DONE").touch()
        make_set(top, "open", 30)
        os.chmod(top, 0o755)
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, str(top)], capture_output=True, text=True, check=True, cwd=os.getcwd()
        )
    finally:
        shutil.rmtree(top)
    assert done.stdout.splitlines() == [
        str(
            [
                ("closed", "unreadable", None),
                ("half", "unreadable", None),
                ("marked", "unreadable", None),
                ("open", "complete", 30),
            ]
        ),
        str(
            [
                ("closed", "unreadable", None),
                ("half", "unreadable", None),
                ("marked", "complete", None),
                ("open", "incomplete", 30),
            ]
        ),
    ]


@contextmanager
def mounted(point: Path) -> Iterator[None]:
    point.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(point)], capture_output=True, check=False).returncode:
        missing("nothing can be mounted here: not root, or not allowed")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.servers
def test_no_mount_is_crossed(tmp_path: Path) -> None:
    make_set(tmp_path, "b-1", 100)
    with mounted(tmp_path / "b-1" / "mount"), mounted(tmp_path / "b-2"):
        make_file(tmp_path / "b-1" / "mount", "a", 5000)
        make_file(tmp_path / "b-2", "a", 5000)
        found = by_name(BackupDirectory(backup(tmp_path)).read())
    assert {name: each.bytes for name, each in found.items()} == {"b-1": 100}
