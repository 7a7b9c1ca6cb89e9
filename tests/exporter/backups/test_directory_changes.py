"""Reading directories of backups again and again, while they change."""

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.backups.directory import RECHECK_SECONDS, BackupDirectory
from exporter.logdirs.usage import WalkStopped
from tests.exporter.backups.backupdir import backup, by_name, make_file, make_set, states
from tests.exporter.fakes import FakeClock
from tests.helpers import wait_until

pytestmark = pytest.mark.slow


class Walks:
    """A clock, and how many entries were looked at with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        real = os.open

        def counting(path: str, flags: int, *args: int, **kwargs: int) -> int:
            if flags & os.O_DIRECTORY:
                self.opened.append(str(path))
            return real(path, flags, *args, **kwargs)

        monkeypatch.setattr(os, "open", counting)

    def sets(self) -> list[str]:
        """Directories opened since the last call, but for the first."""
        opened, self.opened = self.opened[1:], []
        return opened


def test_a_complete_set_that_did_not_change_is_not_looked_through_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        make_set(tmp_path, f"b-{number}", files=3)
    clock, walks = FakeClock(), Walks(monkeypatch)
    directory = BackupDirectory(backup(tmp_path), monotonic=clock)
    first = directory.read()
    assert sorted(walks.sets()) == ["b-0", "b-1", "b-2"]
    assert directory.read() == first
    assert walks.sets() == []
    make_file(tmp_path / "b-1", "more", 50)
    assert by_name(directory.read())["b-1"].bytes == 99 + 50
    assert walks.sets() == ["b-1"]
    clock.now += RECHECK_SECONDS
    directory.read()
    assert sorted(walks.sets()) == ["b-0", "b-1", "b-2"]


def test_a_set_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    make_set(tmp_path, "b-1", 100)
    directory = BackupDirectory(backup(tmp_path), monotonic=FakeClock())
    assert by_name(directory.read())["b-1"].bytes == 100
    make_set(tmp_path, "new", 200).rename(tmp_path / "b-2")
    shutil.rmtree(tmp_path / "b-1")
    (tmp_path / "b-2").rename(tmp_path / "b-1")
    assert by_name(directory.read())["b-1"].bytes == 200


def test_a_set_at_rest_as_far_as_was_seen_is_looked_through_before_it_is_complete(tmp_path: Path) -> None:
    """A writer deep inside it changes nothing about the set's own directory."""
    deep = make_set(tmp_path, "b-1/deep", 100)
    wall, monotonic = FakeClock(time.time()), FakeClock()
    directory = BackupDirectory(backup(tmp_path, settle="5m"), wall, monotonic)
    assert states(directory.read()) == {"b-1": "in_progress"}
    directory._remembered["b-1"].took = 3600  # as if it were very large
    make_file(deep, "0.sql", 500)
    wall.now += 400
    found = by_name(directory.read())["b-1"]
    assert (found.state, found.bytes) == ("complete", 500)


def test_a_walk_that_is_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        make_set(tmp_path, f"b-{number}")

    class StopsAfter:
        def __init__(self, checks: int) -> None:
            self.left = checks

        def is_set(self) -> bool:
            self.left -= 1
            return self.left < 0

    walks = Walks(monkeypatch)
    directory = BackupDirectory(backup(tmp_path), monotonic=FakeClock())
    with pytest.raises(WalkStopped):
        directory.read(StopsAfter(20))
    part = walks.sets()
    assert 0 < len(part) < 20
    assert len(directory.read()) == 20
    assert not set(part) & set(walks.sets())
    with pytest.raises(WalkStopped):
        directory.read(StopsAfter(5))
    assert len(directory.read()) == 20
    assert walks.sets() == [str(tmp_path)], "what was known before the stop still is"


def test_ten_thousand_sets(tmp_path: Path) -> None:
    for number in range(10_000):
        os.mkdir(tmp_path / f"b-{number}")
        (tmp_path / f"b-{number}" / "a").write_bytes(b"xy")
    directory = BackupDirectory(backup(tmp_path))
    assert len(directory.read()) == 10_000
    again = directory.read()
    assert {(each.bytes, each.state) for each in again} == {(2, "complete")}
    assert len(again) == 10_000


_WRITER = """
import sys, time
from pathlib import Path
directory = Path(sys.argv[1])
directory.mkdir()
with open(directory / "dump.sql", "wb", buffering=0) as file:
    for line in sys.stdin:
        file.write(b"x" * 1000)
        print("written", flush=True)
if sys.argv[2] == "mark":
    (directory / "DONE").touch()
"""


@pytest.mark.parametrize("marker", [None, "DONE"])
def test_a_set_whose_writer_is_active(tmp_path: Path, marker: str | None) -> None:
    make_set(tmp_path, "b-1", days=1)
    if marker:
        (tmp_path / "b-1" / marker).touch()
    wall = FakeClock(time.time() + 400)
    directory = BackupDirectory(backup(tmp_path, settle="5m", complete_marker=marker), wall)
    assert states(directory.read()) == {"b-1": "complete"}
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path / "b-2"), "mark" if marker else "none"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for _ in range(5):
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "written\n"
            wall.now = time.time()
            assert states(directory.read())["b-2"] == "in_progress"
        writer.stdin.close()
        assert writer.wait(60) == 0
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()  # type: ignore[union-attr]
    if marker is None:
        assert states(directory.read())["b-2"] == "in_progress"
        wall.now = time.time() + 301
    found = by_name(directory.read())["b-2"]
    assert (found.state, found.bytes) == ("complete", 5000)


async def test_sets_that_come_and_go_while_they_are_read(tmp_path: Path) -> None:
    """Readings go on while a thread makes, renames and removes sets and what is in them."""
    make_set(tmp_path, "b-stays", 100, files=10)
    stop, changes = threading.Event(), [0]

    def churn() -> None:
        chance = random.Random(1)
        while not stop.is_set():
            name = tmp_path / f"b-{chance.randrange(20)}"
            with suppress(OSError):
                if chance.random() < 0.5:
                    make_set(tmp_path, name.name, files=3)
                    (name / "below").mkdir()
                elif chance.random() < 0.5:
                    name.rename(tmp_path / f"b-{chance.randrange(20)}.partial")
                else:
                    shutil.rmtree(name)
            for path in tmp_path.glob("*.partial"):
                shutil.rmtree(path, ignore_errors=True)
            changes[0] += 1

    thread = threading.Thread(target=churn)
    thread.start()
    before = len(os.listdir("/proc/self/fd"))
    try:
        directory = BackupDirectory(backup(tmp_path))
        rounds = 0
        while rounds < 300 or changes[0] < 300:
            found = by_name(directory.read())
            assert (found["b-stays"].state, found["b-stays"].bytes) == ("complete", 100)
            rounds += 1
    finally:
        stop.set()
        thread.join()
    assert len(directory.read()) == len(os.listdir(tmp_path))
    await wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)
