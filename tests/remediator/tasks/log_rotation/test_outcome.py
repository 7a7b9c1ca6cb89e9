"""What becomes of whole runs of log-rotation: their outcome, what they name, and whether the next one may go."""

import gzip
import os
import random
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remediator.config.config import Config
from remediator.control.core import Core
from remediator.control.settings import Settings
from remediator.decide.remedies import Remedies
from remediator.model.shapes.runs import RunView
from remediator.model.task import Action, Effect
from remediator.statedir import StateDir
from remediator.tasks.log_rotation.task import LogRotation
from remediator.tasks.resources import Resources
from tests.helpers import require_program, wait_until
from tests.remediator.stack import START, Clock
from tests.remediator.tasks.log_rotation.logdir import KIB, lines, mounted, task, write_log

MIB = 1024 * KIB


class Loop:
    """Runs one after another, as a person or an alert would have them done, on a state of their own."""

    def __init__(self, core: Core, clock: Clock) -> None:
        self.core = core
        self._clock = clock

    async def run(self) -> RunView:
        self._clock.now += 7200  # beyond cooldown and rate
        number = (await self.core.start_run("log-rotation", "logs", dry_run=False))["id"]

        async def finished() -> RunView | None:
            run = await self.core.run(number)
            return run if run["outcome"] else None

        return await wait_until(finished, what="the run to end")

    async def breaker_is_open(self) -> bool:
        return bool((await self.core.status())["open_breakers"])


@asynccontextmanager
async def loop(state_dir: Path, directory: Path, **settings: Any) -> AsyncIterator[Loop]:
    state = StateDir(state_dir)
    stuck = settings.pop("stuck", None)
    rotation: Any = task(directory, **settings)
    if stuck is not None:
        rotation = Obstacle(rotation, stuck)
    clock = Clock(START)
    core = Core(
        state, Settings(Config(), Remedies([]), {rotation.facts.name: rotation}, Resources(Config())), clock=clock
    )
    await core.open()
    try:
        await core.start_engine()
        yield Loop(core, clock)
    finally:
        await core.close()


@pytest.fixture(autouse=True)
def _engine_ran_before(tmp_path: Path, migrated: Path) -> None:
    """Of each test's state: its first start takes a second longer."""
    state = StateDir(tmp_path / "state")
    state.ensure()
    shutil.copy(migrated, state.database)


def small(directory: Path) -> None:
    """A log whose compressed copy takes as many blocks as it did."""
    (directory / "app.log").write_bytes(b"a line\n")


def incompressible(directory: Path) -> None:
    (directory / "app.log").write_bytes(random.Random(0).randbytes(300 * KIB))


def plain(directory: Path) -> None:
    write_log(directory / "app.log")


def empty_expired(directory: Path) -> None:
    (directory / "app.log").touch()
    for name in ("app.log-20200101-000000", "app.log-20200102-000000"):
        (directory / name).touch()
        os.utime(directory / name, (1_577_836_800, 1_577_836_800))


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("method", ["rename", "copytruncate"])
@pytest.mark.parametrize("make", [small, incompressible, plain, empty_expired])
async def test_all_that_was_due_is_done_though_no_byte_was_freed(
    tmp_path: Path, make: Any, method: str, compress: bool
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    settings = {"rotation": {"max_file_bytes": 1, "compress": compress, "method": method, "keep_age": "100d"}}
    async with loop(tmp_path / "state", logs, **settings) as runs:
        for _ in range(3):
            make(logs)
            run = await runs.run()
            assert (run["outcome"], [action["state"] for action in run["actions"]]) == (
                "effective",
                ["done"] * len(run["actions"]),
            ), run
            assert run["actions"]
        assert not await runs.breaker_is_open()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
async def test_what_was_freed_is_seen_at_once_on_every_file_system(tmp_path: Path, kind: str) -> None:
    """btrfs gives space back at its next commit, up to 30 seconds later; what files take is known at once."""
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(mounted(tmp_path / "disk", kind, 64 * MIB))
        logs = disk / "logs"
        logs.mkdir()
        write_log(logs / "app.log", 8 * MIB)
        before = lines(logs)
        limits = {"max_bytes": 4 * MIB, "rotation": {"method": "copytruncate"}}
        runs = await stack.enter_async_context(loop(tmp_path / "state", logs, **limits))
        run = await runs.run()
        assert run["outcome"] == "effective"
        assert run["freed_bytes"] > 4 * MIB
        assert lines(logs) == before


def chattr(flag: str, path: Path) -> None:
    subprocess.run([require_program("chattr", "e2fsprogs"), flag, str(path)], check=True)


def expired(directory: Path, count: int = 3, size: int = MIB) -> list[Path]:
    """Rotated files that are due to be deleted, oldest first, beside their log."""
    (directory / "app.log").touch()
    paths = [directory / f"app.log-20200101-0000{number:02}.gz" for number in range(1, count + 1)]
    for path in paths:
        path.write_bytes(gzip.compress(random.Random(0).randbytes(size)))
        os.utime(path, (1_577_836_800, 1_577_836_800))
    return paths


async def test_one_stuck_file_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ext4", 32 * MIB) as disk:
        stuck, *others = expired(disk)
        chattr("+i", stuck)
        async with loop(tmp_path / "state", disk) as runs:
            for _ in range(4):
                written = Counter(write_log(disk / "app.log").splitlines())
                run = await runs.run()
                assert run["outcome"] == "effective"
                assert any(stuck.name in note and "chattr" in note for note in run["notes"])
                assert not written - lines(disk)
                assert stuck.exists()
                assert not any(path.exists() for path in others)
            assert not await runs.breaker_is_open()
        chattr("-i", stuck)


class Obstacle:
    """log-rotation, before whose actions a file gets stuck: as when somebody runs chattr after the plan."""

    def __init__(self, rotation: LogRotation, stuck: Path) -> None:
        self._rotation = rotation
        self._stuck = stuck

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rotation, name)

    async def apply(self, target: str, action: Action) -> Effect:
        chattr("+i", self._stuck)
        try:
            return await self._rotation.apply(target, action)
        finally:
            chattr("-i", self._stuck)


async def test_a_file_that_got_stuck_after_the_plan_is_named_in_the_outcome(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ext4", 32 * MIB) as disk:
        (disk / "app.log").touch()
        stuck = expired(disk)[0]
        async with loop(tmp_path / "state", disk, stuck=stuck) as runs:
            for others in (2, 0, 0, 0):
                run = await runs.run()
                assert sum(action["state"] == "done" for action in run["actions"]) == others
                # With nothing else to do it failed; within the limit that is no reason to block what is due next.
                assert run["outcome"] == ("effective" if others else "failed")
                assert f"cannot delete {stuck.name}: Operation not permitted" in run["reason"]
            assert not await runs.breaker_is_open()


async def test_a_file_that_got_stuck_among_many_is_named_and_the_rest_of_them_goes(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ext4", 32 * MIB) as disk:
        stuck, *others = expired(disk, 55, KIB)
        async with loop(tmp_path / "state", disk, stuck=stuck) as runs:
            run = await runs.run()
            (action,) = run["actions"]
            assert (action["kind"], action["state"], run["outcome"]) == ("delete-many", "partial", "effective")
            assert action["items"] == 55
            left = f"deleted 54 files; left alone: {stuck.name} (Operation not permitted)"
            assert run["reason"].endswith(f"but only in part: {left}")
            assert stuck.exists()
            assert not any(path.exists() for path in others)
            run = await runs.run()
            assert (run["outcome"], [action["state"] for action in run["actions"]]) == ("failed", ["failed"])
            assert f"cannot delete {stuck.name}: Operation not permitted" in run["reason"]
            assert not await runs.breaker_is_open()


async def test_a_record_of_november_2026_has_one_item_an_action(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    expired(logs, 55, KIB)
    async with loop(tmp_path / "state", logs) as runs:
        run = await runs.run()
        with sqlite3.connect(tmp_path / "state" / "upkeeper.db") as connection:
            connection.execute("UPDATE actions SET action = json_remove(action, '$.items')")
        assert [action["items"] for action in run["actions"]] == [55]
        assert [action["items"] for action in (await runs.core.run(run["id"]))["actions"]] == [1]


async def test_a_stuck_file_that_keeps_the_breach_standing_is_no_success(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ext4", 32 * MIB) as disk:
        expired(disk, 1)[0].rename(disk / "app.log")
        write_log(disk / "other.log")
        chattr("+i", disk / "app.log")
        async with loop(tmp_path / "state", disk, max_bytes=MIB // 2) as runs:
            first, second = [await runs.run() for _ in range(2)]
            assert first["outcome"] == second["outcome"] == "ineffective"
            assert first["reason"].startswith("helped, not enough: 1.01 MiB of 512 KiB"), first["reason"]
            assert "chattr" in second["reason"]
        chattr("-i", disk / "app.log")


@pytest.mark.parametrize("below", ["", "sub"])
@pytest.mark.parametrize("flag", ["a", "i"])
async def test_a_directory_that_chattr_protects_is_named_and_left_alone(tmp_path: Path, flag: str, below: str) -> None:
    fixed = tmp_path / below
    fixed.mkdir(exist_ok=True)
    write_log(fixed / "app.log")
    rotation = task(tmp_path, recursive=True)
    chattr(f"+{flag}", fixed)
    try:
        plan = await rotation.plan("logs")
        assert plan.actions == []
        unwritable = (flag, below) == ("i", "sub")
        why = "a directory that cannot be written to" if unwritable else "a directory made immutable or append-only"
        assert any(why in note for note in plan.notes)
    finally:
        chattr(f"-{flag}", fixed)
    assert (await rotation.plan("logs")).actions
