"""Deleting thousands of rotated files: a few actions, and still each file only while it is what the plan saw."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.logdirs.usage import measure
from remediator.files.compress import Stopped
from remediator.files.folder import open_root
from remediator.model.task import Action, Effect, TaskError
from remediator.tasks.log_rotation import choose
from remediator.tasks.log_rotation.act import act
from remediator.tasks.log_rotation.scan import scan
from remediator.tasks.log_rotation.task import LogRotation
from tests.helpers import missing
from tests.remediator.tasks.log_rotation.logdir import DAY, KIB, bound, deleted_by, names, snapshot, task
from tests.remediator.tasks.log_rotation.test_kill import killed
from tests.remediator.tasks.log_rotation.test_safety import _as_user

NOW = 1_790_000_000.0
ODD = ["a b.log", "caf\udce9.log", "100%.log", "new\nline.log", " .log", "%2e%2e.log"]


def fill(directory: Path, count: int = 120, *, log: str = "app.log", size: int = KIB, age: float = 40) -> list[Path]:
    """A log with so many rotated files, each a second younger than the one before."""
    directory.mkdir(exist_ok=True)
    (directory / log).touch()
    paths = [directory / f"{log}.{number}" for number in range(count, 0, -1)]
    for place, path in enumerate(paths):
        path.write_bytes(b"x" * size)
        os.utime(path, (NOW - age * DAY + place, NOW - age * DAY + place))
    return paths


async def batch(rotation: LogRotation) -> Action:
    (action,) = (await rotation.plan("logs")).actions
    assert action.kind == "delete-many"
    return action


async def test_many_expired_files_are_one_action(tmp_path: Path) -> None:
    for folder in ("logs", "logs/sub"):
        for log in ("app.log", *ODD):
            fill(tmp_path / folder, 20, log=log)
    root = tmp_path / "logs"
    rotation = task(root, at=NOW, recursive=True)
    action = await batch(rotation)
    assert action.reason == "39d23h to 40d old, over keep_age (30d)"
    assert action.object.startswith("280 rotated files of 14 logs, ")
    assert action.items == 280
    assert action.estimated_bytes == 280 * 4 * KIB
    listed = {str(path.relative_to(root)) for path in root.rglob("*.*.*") if path.is_file()}
    assert set(deleted_by(action)) == listed
    before = await rotation.measure("logs")
    effect = await rotation.apply("logs", Action.model_validate_json(action.model_dump_json()))
    assert effect == Effect(state="done", detail="deleted 280 files", freed_bytes=280 * 4 * KIB)
    after = await rotation.measure("logs")
    assert before.values["allocated_bytes"] - after.values["allocated_bytes"] == effect.freed_bytes
    assert names(root) == sorted(["app.log", *ODD, "sub"])
    assert names(root / "sub") == sorted(["app.log", *ODD])


async def test_the_record_of_one_action_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 120)
    monkeypatch.setattr(choose, "_BATCH_FILES", 50)
    rotation = task(tmp_path, at=NOW)
    plan = await rotation.plan("logs")
    assert [len(deleted_by(action)) for action in plan.actions] == [50, 50, 20]
    monkeypatch.setattr(choose, "_BATCH_FILES", 1000)
    monkeypatch.setattr(choose, "_BATCH_CHARACTERS", 2000)
    again = await rotation.plan("logs")
    assert [path for action in again.actions for path in deleted_by(action)] == [
        path for action in plan.actions for path in deleted_by(action)
    ]
    assert all(len(str(action.params["files"])) < 2500 for action in again.actions)
    for action in plan.actions:
        await rotation.apply("logs", action)
    assert names(tmp_path) == ["app.log"]


def _rewritten(path: Path) -> None:
    path.write_bytes(b"y" * KIB)


def _grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"y")


def _replaced(path: Path) -> None:
    facts = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.rename(path)


def _rewritten_and_set_back(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(b"y" * facts.st_size)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _linked(path: Path) -> None:
    os.link(path, path.with_name("other"))


def _led_elsewhere(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change", [_rewritten, _rewritten_and_set_back, _grown, _replaced, _linked, _led_elsewhere, _a_pipe]
)
async def test_a_file_that_is_another_by_now_stays_and_the_rest_goes(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    fill(tmp_path)
    rotation = task(tmp_path, at=NOW)
    action = await batch(rotation)
    change(tmp_path / "app.log.7")
    (tmp_path / "app.log.9").unlink()
    kept = snapshot(tmp_path)[str(tmp_path / "app.log.7")]
    effect = await rotation.apply("logs", action)
    assert effect.detail.startswith("deleted 118 files; 1 were gone; left alone: app.log.7 (")
    assert snapshot(tmp_path)[str(tmp_path / "app.log.7")] == kept
    assert set(names(tmp_path)) <= {"app.log", "app.log.7", "other"}


async def test_a_file_that_is_written_to_stays(tmp_path: Path) -> None:
    fill(tmp_path)
    rotation = task(tmp_path, at=NOW)
    action = await batch(rotation)
    with (tmp_path / "app.log.7").open("ab"), (tmp_path / "app.log.8").open("rb"):
        effect = await rotation.apply("logs", action)
    assert effect.detail == "deleted 119 files; left alone: app.log.7 (a process still writes to it)"
    assert names(tmp_path) == ["app.log", "app.log.7"]


async def test_many_left_alone_are_counted(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    rotation = task(tmp_path, at=NOW)
    action = await batch(rotation)
    for path in paths[:10]:
        path.touch()
    detail = (await rotation.apply("logs", action)).detail
    assert detail.startswith("deleted 110 files; left alone: app.log.120 (changed since the plan), ")
    assert detail.endswith(" and 5 more")


async def test_patterns_that_came_after_the_plan_win(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    for folder in ("", "sub", "private"):
        fill(root / folder, 40)
        fill(root / folder, 40, log="keep.log")
    action = await batch(task(root, at=NOW, recursive=True))
    before = snapshot(root)
    assert (await task(root, at=NOW, include=["*.txt"]).apply("logs", action)).state == "skipped"
    assert (await task(root, at=NOW, exclude=["*"]).apply("logs", action)).state == "skipped"
    assert snapshot(root) == before
    later = task(root, at=NOW, recursive=True, exclude=["keep*", "private", "app.log.3"])
    assert (await later.apply("logs", action)).detail.startswith("deleted 78 files; left alone: ")
    assert [len(names(root / folder)) for folder in ("", "sub", "private")] == [45, 43, 82]
    assert "not covered without `recursive:`" in (await task(root, at=NOW).apply("logs", action)).detail


async def test_over_the_limit_it_measures_once_and_stops_when_enough_is_free(tmp_path: Path) -> None:
    paths = fill(tmp_path, 200, size=4 * KIB, age=1)
    rotation = task(tmp_path, at=NOW, max_bytes=400 * KIB, rotation={"keep_count": 999})
    action = await batch(rotation)
    assert deleted_by(action) == [path.name for path in paths[:100]]
    measured = []

    def allocated() -> int:
        measured.append(True)
        return 600 * KIB  # somebody freed 200 KiB meanwhile

    effect = act(rotation._directories["logs"], action, threading.Event(), allocated)
    assert (len(measured), effect.freed_bytes, effect.detail) == (1, 200 * KIB, "deleted 50 files")
    assert names(tmp_path) == sorted(["app.log", *(path.name for path in paths[50:])])
    assert (await rotation.apply("logs", action)).detail == "deleted 50 files; 50 were gone"
    assert "within its limit" in (await rotation.apply("logs", action)).detail
    assert not (await rotation.measure("logs")).breached


async def test_the_oldest_of_all_directories_go_first(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    old, young = fill(root, 60, size=4 * KIB, age=9), fill(root / "sub", 60, size=4 * KIB, age=1)
    for path in young[:10]:
        os.utime(path, (NOW - 20 * DAY, NOW - 20 * DAY))
    rotation = task(root, at=NOW, recursive=True, max_bytes=240 * KIB, rotation={"keep_count": 999})
    await rotation.apply("logs", await batch(rotation))
    left = set(root.rglob("*.*.*"))
    assert left == {*old[50:], *young[10:]}


async def test_a_stop_ends_it_between_two_files(tmp_path: Path) -> None:
    fill(tmp_path)
    rotation = task(tmp_path, at=NOW)
    action = await batch(rotation)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        act(rotation._directories["logs"], action, stop, lambda: 0)
    assert len(names(tmp_path)) == 121


@pytest.mark.parametrize("before", [1, 2, 100, 300, 350])
def test_a_kill_in_the_middle_is_made_good_by_a_second_try(tmp_path: Path, before: int) -> None:
    fill(tmp_path)
    other = tmp_path / "notes.txt"
    other.touch()
    rotation = task(tmp_path, at=NOW)
    action = asyncio.run(batch(rotation))
    directory = rotation._directories["logs"]
    assert killed(before, lambda: act(directory, action, threading.Event(), lambda: 0))
    left = len(names(tmp_path)) - 2
    assert (left == 120) is (before <= 2)
    effect = asyncio.run(rotation.apply("logs", action))
    gone = f"; {120 - left} were gone" if left < 120 else ""
    assert effect.detail == f"deleted {left} files{gone}"
    assert names(tmp_path) == ["app.log", "notes.txt"]


async def test_a_file_that_something_is_mounted_on_stays(tmp_path: Path) -> None:
    fill(tmp_path / "logs")
    (tmp_path / "other").touch()
    rotation = task(tmp_path / "logs", at=NOW)
    action = await batch(rotation)
    with bound(tmp_path / "other", tmp_path / "logs" / "app.log.7"):
        detail = (await rotation.apply("logs", action)).detail
    assert detail == "deleted 119 files; left alone: app.log.7 (another file by now)"
    action = (await rotation.plan("logs")).actions[0]
    with bound(tmp_path / "logs" / "app.log.7", tmp_path / "logs" / "app.log.7"):
        assert (await rotation.apply("logs", action)).detail == "left alone: a mount of its own"


async def test_tampered_lists_reach_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "logs")
    fill(tmp_path, 3)
    rotation = task(tmp_path / "logs", at=NOW)
    action = await batch(rotation)
    before = snapshot(tmp_path)
    facts = (tmp_path / "app.log.1").stat()
    mark = f"{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}"
    for files in (
        [["..", [f"app.log.1 {mark}"]]],
        [["", [f"../app.log.1 {mark}"]]],
        [["", [f"%2e%2e/app.log.1 {mark}"]]],
        [["", [f"%2e%2e%2fapp.log.1 {mark}"]]],
        [["/", [f"app.log.1 {mark}"]]],
        [["", [f".. {mark}"]]],
    ):
        with pytest.raises(TaskError, match="with these parameters"):
            await rotation.apply("logs", action.model_copy(update={"params": {**action.params, "files": files}}))
    for name in ("app.log", "notes.txt"):
        files = [["", [f"{name} {mark}"]]]
        effect = await rotation.apply("logs", action.model_copy(update={"params": {**action.params, "files": files}}))
        assert effect.state == "skipped"
    assert snapshot(tmp_path) == before


async def test_a_plan_that_the_build_of_november_2026_stored_is_applied(tmp_path: Path) -> None:
    for log in ("app.log", *ODD):
        fill(tmp_path, 20, log=log)
    rotation = task(tmp_path, at=NOW)
    stored = (await batch(rotation)).model_dump(mode="json")
    del stored["items"]
    stored["params"]["files"] = [[folder, lines.split("\n")] for folder, lines in stored["params"]["files"]]
    effect = await rotation.apply("logs", Action.model_validate(stored))
    assert effect == Effect(state="done", detail="deleted 140 files", freed_bytes=140 * 4 * KIB)
    assert names(tmp_path) == sorted(["app.log", *ODD])


async def test_a_batch_says_of_which_log_it_is_and_how_many_files_it_is_about(tmp_path: Path) -> None:
    fill(tmp_path / "many", 60)
    action = await batch(task(tmp_path / "many", at=NOW))
    assert (action.items, action.object) == (60, "60 rotated files of app.log, app.log.60 to app.log.1")
    fill(tmp_path / "few", 50)
    few = (await task(tmp_path / "few", at=NOW).plan("logs")).actions
    assert [(action.kind, action.items) for action in few] == [("delete", 1)] * 50


@pytest.mark.parametrize("recursive", [True, False])
def test_the_plan_counts_what_the_collector_measures(tmp_path: Path, recursive: bool) -> None:
    for folder in ("logs", "logs/sub", "logs/sub/deeper", "logs/other"):
        fill(tmp_path / folder, 3, size=5 * KIB)
    os.link(tmp_path / "logs/app.log.1", tmp_path / "logs/sub/other name")
    os.link(tmp_path / "logs/app.log.1", tmp_path / "logs/again")
    (tmp_path / "logs/link").symlink_to("app.log.2")
    os.mkfifo(tmp_path / "logs/pipe")
    directory = task(tmp_path / "logs", recursive=recursive)._directories["logs"]
    protecting = task(tmp_path / "logs", recursive=recursive, exclude=["sub"])._directories["logs"]
    with open_root(directory.path) as root:
        found = scan(root, directory, threading.Event())
        passing_over = scan(root, protecting, threading.Event())
    assert (found.allocated, found.all_seen) == (measure(directory).allocated_bytes, True)
    assert passing_over.all_seen is not recursive


async def test_a_protected_directory_counts_for_the_limit(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    old, protected = fill(root, 60, age=9), fill(root / "private", 60, age=9)
    settings = {"recursive": True, "exclude": ["private"], "rotation": {"keep_count": 999}}
    plan = await task(root, at=NOW, max_bytes=400 * KIB, **settings).plan("logs")
    assert sum(action.items for action in plan.actions) == len(old) + len(protected) - 100


def test_a_file_that_may_not_be_deleted_is_named_and_the_rest_goes(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("becoming another user needs root")
    asyncio.run(task(tmp_path, at=NOW).plan("logs"))  # imports everything while it may still be read
    logs = Path(f"/tmp/upkeeper-test-{os.getpid()}")
    try:
        for path in (*fill(logs), logs / "app.log"):
            os.chown(path, 12345, 12345)
        logs.chmod(0o1777)
        os.chown(logs / "app.log.7", 0, 0)

        def work() -> list[str]:
            rotation = task(logs, at=NOW)
            actions = asyncio.run(rotation.plan("logs")).actions
            details = [asyncio.run(rotation.apply("logs", action)).detail for action in actions]
            try:
                asyncio.run(rotation.apply("logs", actions[0]))
            except TaskError as error:
                details.append(str(error))
            return details

        first, second = _as_user(12345, work)
        assert first == "deleted 119 files; left alone: app.log.7 (Operation not permitted)"
        assert second.endswith(": left alone: app.log.7 (Operation not permitted)")
        assert names(logs) == ["app.log", "app.log.7"]
    finally:
        for path in logs.iterdir():
            path.unlink()
        logs.rmdir()
