"""What log-rotation does with logs and their rotated files."""

import gzip
import os
import re
import subprocess
from pathlib import Path

import pytest

from remediator.model.task import TaskError
from remediator.statedir import DRILL_TARGET
from tests.remediator.tasks.log_rotation.logdir import (
    DAY,
    KIB,
    content,
    done,
    lines,
    listed,
    names,
    rotated,
    run,
    snapshot,
    task,
    write_log,
)

NOW = 1_760_000_000.0


def make_copy(path: Path, age: float, size: int = 8 * KIB) -> None:
    path.write_bytes(os.urandom(size))
    os.utime(path, (NOW - age, NOW - age))


async def test_a_large_log_is_renamed_and_compressed(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    before = write_log(log)
    log.chmod(0o640)
    os.utime(log, ns=(1_700_000_000_123_456_789, 1_700_000_001_123_456_789))
    results = await run(task(tmp_path, at=NOW, rotation={"method": "rename"}))
    assert done(results) == [("rotate", "app.log"), ("compress", "app.log-20251009-085320")]
    assert names(tmp_path) == ["app.log", "app.log-20251009-085320.gz"]
    assert log.read_bytes() == b""
    packed = tmp_path / "app.log-20251009-085320.gz"
    assert content(packed) == before
    assert [path.stat().st_mode & 0o7777 for path in (log, packed)] == [0o640, 0o640]
    assert packed.stat().st_mtime_ns == 1_700_000_001_123_456_789
    subprocess.run(["gzip", "--test", packed], check=True)


async def test_copytruncate_keeps_the_inode(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    before = write_log(log)
    log.chmod(0o604)
    inode = log.stat().st_ino
    results = await run(task(tmp_path, at=NOW, rotation={"method": "copytruncate"}))
    assert done(results) == [("rotate", "app.log")]
    packed = tmp_path / "app.log-20251009-085320.gz"
    assert content(packed) == before
    assert packed.stat().st_mode & 0o7777 == 0o604
    assert log.stat().st_ino == inode
    assert log.stat().st_size <= os.statvfs(tmp_path).f_frsize
    assert not log.read_bytes().strip()


@pytest.mark.parametrize("method", ["rename", "copytruncate"])
async def test_without_compression_the_rotated_file_is_plain(tmp_path: Path, method: str) -> None:
    before = write_log(tmp_path / "app.log")
    await run(task(tmp_path, at=NOW, rotation={"method": method, "compress": False}))
    assert (tmp_path / "app.log-20251009-085320").read_bytes() == before


@pytest.mark.parametrize("method", ["rename", "copytruncate"])
async def test_owner_and_extended_attributes_are_kept(tmp_path: Path, method: str) -> None:
    log = tmp_path / "app.log"
    write_log(log)
    if os.geteuid() == 0:
        os.chown(log, 1234, 2345)
    os.setxattr(log, "user.origin", b"letta")
    await run(task(tmp_path, rotation={"method": method}))
    for path in (log, *rotated(tmp_path)):
        assert os.getxattr(path, "user.origin") == b"letta"
        assert (path.stat().st_uid, path.stat().st_gid) == (log.stat().st_uid, log.stat().st_gid)
    assert os.geteuid() != 0 or log.stat().st_uid == 1234


async def test_the_method_follows_who_holds_the_log(tmp_path: Path) -> None:
    write_log(tmp_path / "closed.log")
    write_log(tmp_path / "held.log")
    with (tmp_path / "held.log").open("ab"):
        plan = await task(tmp_path).plan("logs")
    methods = {action.object: action.params["method"] for action in plan.actions if action.kind == "rotate"}
    assert methods == {"closed.log": "rename", "held.log": "copytruncate"}


async def test_a_log_opened_after_the_plan_is_not_renamed_away(tmp_path: Path) -> None:
    before = write_log(tmp_path / "app.log")
    rotation = task(tmp_path)
    action = (await rotation.plan("logs")).actions[0]
    with (tmp_path / "app.log").open("ab"):
        effect = await rotation.apply("logs", action)
    assert effect.state == "skipped"
    assert (tmp_path / "app.log").read_bytes() == before


async def test_a_renamed_log_is_compressed_once_its_writer_lets_go(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log")
    rotation = task(tmp_path, rotation={"method": "rename"})
    with (tmp_path / "app.log").open("ab") as writer:
        plan = await rotation.plan("logs")
        assert listed(plan) == [("rotate", "app.log")]
        assert any("when no process writes to it" in note for note in plan.notes)
        await run(rotation)
        writer.write(b"one line more\n")
        writer.flush()
        plan = await rotation.plan("logs")
        assert plan.actions == []
        assert any("still writes" in note for note in plan.notes)
    assert [kind for kind, _ in done(await run(rotation))] == ["compress"]
    assert lines(tmp_path)[b"one line more"] == 1


async def test_logs_are_rotated_by_age(tmp_path: Path) -> None:
    for name, age in (("old.log", 25 * 3600), ("young.log", 23 * 3600)):
        write_log(tmp_path / name, 1 * KIB)
        os.utime(tmp_path / name, (NOW - age, NOW - age))
    (tmp_path / "empty.log").touch()
    (tmp_path / "blank.log").write_bytes(b" " * 99 + b"\n")
    for name in ("empty.log", "blank.log"):
        os.utime(tmp_path / name, (1, 1))
    plan = await task(tmp_path, at=NOW, rotation={"max_file_age": "1d", "method": "rename"}).plan("logs")
    assert [action.object for action in plan.actions if action.kind == "rotate"] == ["old.log"]
    assert "1d1h old, over max_file_age (1d)" in plan.actions[0].reason


async def test_the_age_of_a_busy_log_counts_from_when_it_was_made(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    write_log(log, 1 * KIB)
    made = log.stat().st_mtime
    rotation = {"max_file_age": "1d", "method": "copytruncate"}
    written = made + 0.9 * DAY
    os.utime(log, (written, written))
    assert (await task(tmp_path, at=made + 0.95 * DAY, rotation=rotation).plan("logs")).actions == []
    assert len((await task(tmp_path, at=made + 1.05 * DAY, rotation=rotation).plan("logs")).actions) == 1


async def test_the_age_of_a_rotated_log_counts_from_its_rotation(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    write_log(log, 1 * KIB)
    made = log.stat().st_mtime
    rotation = {"max_file_age": "1d", "method": "copytruncate"}
    await run(task(tmp_path, at=made + 2 * DAY, rotation=rotation))
    write_log(log, 1 * KIB)
    assert (await task(tmp_path, at=made + 2.5 * DAY, rotation=rotation).plan("logs")).actions == []
    assert len((await task(tmp_path, at=made + 3.5 * DAY, rotation=rotation).plan("logs")).actions) == 1


async def test_rotated_files_are_kept_by_age(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    for name, days in (("app.log.1", 5), ("app.log.2.gz", 31), ("app.log-20250901.gz", 38), ("app.log.2025-09-01", 38)):
        make_copy(tmp_path / name, days * DAY)
    make_copy(tmp_path / "gone.log-20250801-000000.gz", 69 * DAY)
    make_copy(tmp_path / "gone.log.1", 69 * DAY)
    make_copy(tmp_path / "gone-20250801.txt", 69 * DAY)
    plan = await task(tmp_path, at=NOW, rotation={"keep_age": "30d"}).plan("logs")
    assert sorted(listed(plan)) == [
        ("delete", "app.log-20250901.gz"),
        ("delete", "app.log.2.gz"),
        ("delete", "app.log.2025-09-01"),
    ]
    assert any("gone.log-20250801-000000.gz, gone.log.1" in note for note in plan.notes)


async def test_rotated_files_are_kept_by_count_of_each_log(tmp_path: Path) -> None:
    for log in ("a.log", "b.log"):
        (tmp_path / log).touch()
        for day in range(1, 5):
            make_copy(tmp_path / f"{log}-2025100{day}-000000.gz", (9 - day) * DAY)
    results = await run(task(tmp_path, at=NOW, rotation={"keep_count": 3}))
    assert sorted(done(results)) == [("delete", "a.log-20251001-000000.gz"), ("delete", "b.log-20251001-000000.gz")]


async def test_a_new_rotated_file_displaces_the_oldest_only_once_it_is_there(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log")
    for day in (1, 2):
        make_copy(tmp_path / f"app.log-2025100{day}-000000.gz", (9 - day) * DAY)
    rotation = task(tmp_path, at=NOW, rotation={"keep_count": 2, "method": "copytruncate"})
    rotate, delete = (await rotation.plan("logs")).actions
    assert (delete.kind, delete.object) == ("delete", "app.log-20251001-000000.gz")
    assert (await rotation.apply("logs", delete)).state == "skipped"
    assert (await rotation.apply("logs", rotate)).state == "done"
    effect = await rotation.apply("logs", delete)
    assert (effect.state, effect.freed_bytes) == ("done", 8 * KIB)
    assert names(tmp_path) == ["app.log", "app.log-20251002-000000.gz", "app.log-20251009-085320.gz"]


async def test_what_earlier_runs_rotated_is_compressed_and_what_others_rotated_is_not(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    before = write_log(tmp_path / "app.log-20251001-000000")
    write_log(tmp_path / "app.log.1")
    write_log(tmp_path / "app.log-20251002")
    results = await run(task(tmp_path))
    assert done(results) == [("compress", "app.log-20251001-000000")]
    assert content(tmp_path / "app.log-20251001-000000.gz") == before
    assert results[0][1].freed_bytes > 150 * KIB


async def test_over_its_limit_a_directory_loses_its_oldest_rotated_files(tmp_path: Path) -> None:
    for log, days in (("a.log", (1, 2, 3)), ("b.log", (4, 5))):
        write_log(tmp_path / log, 20 * KIB)
        for day in days:
            make_copy(tmp_path / f"{log}-2025100{day}-000000.gz", (9 - day) * DAY, 100 * KIB)
    rotation = task(tmp_path, at=NOW, max_bytes=400 * KIB)
    plan = await rotation.plan("logs")
    assert listed(plan) == [("delete", "a.log-20251001-000000.gz"), ("delete", "a.log-20251002-000000.gz")]
    assert all("the oldest left while the directory is over max_bytes" in action.reason for action in plan.actions)
    before = await rotation.measure("logs")
    await run(rotation)
    after = await rotation.measure("logs")
    assert (before.breached, after.breached, rotation.improved(before, after)) == (True, False, True)


async def test_a_deletion_for_want_of_space_is_left_when_the_space_came_otherwise(tmp_path: Path) -> None:
    write_log(tmp_path / "a.log", 20 * KIB)
    for day in (1, 2):
        make_copy(tmp_path / f"a.log-2025100{day}-000000.gz", (9 - day) * DAY, 100 * KIB)
    make_copy(tmp_path / "other", 0, 100 * KIB)
    rotation = task(tmp_path, at=NOW, max_bytes=300 * KIB)
    (action,) = (await rotation.plan("logs")).actions
    (tmp_path / "other").unlink()
    effect = await rotation.apply("logs", action)
    assert (effect.state, effect.freed_bytes) == ("skipped", 0)
    assert "within its limit" in effect.detail


async def test_the_newest_rotated_file_and_logs_stay_whatever_the_limit(tmp_path: Path) -> None:
    write_log(tmp_path / "a.log", 20 * KIB)
    make_copy(tmp_path / "a.log-20251001-000000.gz", DAY, 100 * KIB)
    make_copy(tmp_path / "a.log-20250901-000000.gz", 9 * DAY, 100 * KIB)
    plan = await task(tmp_path, at=NOW, max_bytes=1).plan("logs")
    assert listed(plan) == [("delete", "a.log-20250901-000000.gz")]
    assert any("stays about" in note for note in plan.notes)


async def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log")
    (tmp_path / "sub").mkdir()
    write_log(tmp_path / "sub" / "held.log")
    make_copy(tmp_path / "app.log-20251001-000000", 90 * DAY)
    make_copy(tmp_path / ".app.log-20251001-000000.gz.upkeeper-tmp", 90 * DAY)
    with (tmp_path / "sub" / "held.log").open("ab"):
        before = snapshot(tmp_path)
        plan = await task(tmp_path, at=NOW, max_bytes=1, recursive=True).plan("logs")
        assert snapshot(tmp_path) == before
    assert len(plan.actions) == 4


@pytest.mark.parametrize("method", ["rename", "copytruncate"])
async def test_doing_every_action_twice_changes_nothing(tmp_path: Path, method: str) -> None:
    write_log(tmp_path / "app.log")
    write_log(tmp_path / "app.log-20251001-000000", 30 * KIB, start=9_000_000)
    expected = lines(tmp_path)
    make_copy(tmp_path / "app.log-20250101-000000", 300 * DAY)
    rotation = task(tmp_path, at=NOW, rotation={"method": method})
    actions = (await rotation.plan("logs")).actions
    for action in actions:
        assert (await rotation.apply("logs", action)).state == "done"
    after = snapshot(tmp_path)
    for action in actions:
        assert (await rotation.apply("logs", action)).freed_bytes == 0
    assert snapshot(tmp_path) == after
    assert lines(tmp_path) == expected


async def test_files_within_their_limits_stay_as_they_are(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log", 50 * KIB)
    make_copy(tmp_path / "app.log-20251001-000000.gz", 29 * DAY)
    (tmp_path / "notes.txt").write_bytes(bytes(10**6))
    before = snapshot(tmp_path)
    assert await run(task(tmp_path, at=NOW, rotation={"max_file_age": "9999d"})) == []
    assert snapshot(tmp_path) == before


async def test_subdirectories_belong_to_it_only_when_recursive(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_log(tmp_path / "a" / "b" / "app.log")
    assert (await task(tmp_path).plan("logs")).actions == []
    results = await run(task(tmp_path, at=NOW, recursive=True))
    assert done(results) == [("rotate", "a/b/app.log"), ("compress", "a/b/app.log-20251009-085320")]
    assert names(tmp_path / "a" / "b") == ["app.log", "app.log-20251009-085320.gz"]


async def test_a_sparse_log_counts_without_its_holes_and_is_copied_with_them(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("wb") as file:
        file.truncate(50 * 10**6)
    rotation = task(tmp_path, rotation={"method": "copytruncate"})
    assert (await rotation.plan("logs")).actions == []
    with log.open("ab") as file:
        file.write(b"a line\n" * 20_000)
    await run(rotation)
    (packed,) = rotated(tmp_path)
    assert len(content(packed)) == 50 * 10**6 + 140_000
    assert packed.stat().st_size < 200 * KIB
    assert lines(tmp_path) == {b"a line": 20_000}


async def test_the_plan_tells_of_a_writer_that_does_not_append(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log")
    with (tmp_path / "app.log").open("r+b"):
        plan = await task(tmp_path).plan("logs")
    assert any("at its own position" in note and f"pid {os.getpid()}" in note for note in plan.notes)


async def test_freed_bytes_are_those_of_the_disk(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log", 500 * KIB)
    rotation = task(tmp_path, rotation={"method": "copytruncate"})
    before = await rotation.measure("logs")
    ((_, effect),) = await run(rotation)
    after = await rotation.measure("logs")
    assert effect.freed_bytes == before.values["allocated_bytes"] - after.values["allocated_bytes"] > 300 * KIB


async def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rotation = task(tmp_path / "file")
    for call in (rotation.plan, rotation.measure):
        with pytest.raises(TaskError, match=r"cannot .*: Not a directory"):
            await call("logs")
    with pytest.raises(TaskError, match=r"no log directory is configured under the name '\.\./etc'"):
        await rotation.plan("../etc")


async def test_a_directory_that_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    remedies = {
        "logs": f"{missing} does not exist: create it, or correct logs[logs].path in the config",
        DRILL_TARGET: f"{missing} exists only during a drill: `upkeeper drill` makes it and removes it again",
    }
    for name, remedy in remedies.items():
        rotation = task(missing, name=name)
        for ask in (rotation.measure, rotation.plan):
            with pytest.raises(TaskError, match=f"^{re.escape(remedy)}$"):
                await ask(name)


async def test_gzip_tools_read_all_members(tmp_path: Path) -> None:
    before = write_log(tmp_path / "app.log", 5 * 1024 * KIB)
    await run(task(tmp_path))
    (packed,) = rotated(tmp_path)
    assert subprocess.run(["gzip", "-dc", packed], capture_output=True, check=True).stdout == before
    with gzip.open(packed) as file:
        assert file.read() == before
