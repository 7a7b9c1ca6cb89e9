"""An adversarial tree of logs, a tenth of it protected by each rule: nothing protected is in a plan, and what the plan
says is what happens, to the byte.

Made from a seed. UPKEEPER_ESTATE_FILES=2000 is the long form.
"""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.filesystems import bound, mounted
from tests.helpers import rounds
from tests.remediator.tasks.log_rotation.logdir import DAY, deleted_by, task

pytestmark = [pytest.mark.slow, pytest.mark.torture]

FILES = rounds("ESTATE_FILES", 300, 2000)
SEED = int(os.environ.get("UPKEEPER_ESTATE_SEED", "11"))
MIB = 1024 * 1024
OLD = 60 * DAY
KEEP_AGE = 30 * DAY


@dataclass
class Estate:
    root: Path
    elsewhere: Path
    dice: random.Random
    stack: ExitStack
    protected: dict[Path, str] = field(default_factory=dict)
    """With the rule that protects each."""
    due: set[Path] = field(default_factory=set)

    def directory(self, number: int) -> Path:
        """One of a few levels, with the log from which the rotated files in it come."""
        path = self.root / f"d{number % 7}" / f"e{number % 5}"  # 35 of them
        path.mkdir(parents=True, exist_ok=True)
        log = path / "app.log"
        if not log.exists():
            log.write_bytes(b"now\n")
        return path

    def file(self, directory: Path, name: str, age: float = OLD) -> Path:
        path = directory / name
        path.write_bytes(self.dice.randbytes(self.dice.randrange(1, 20_000)))
        at = time.time() - age - self.dice.random() * DAY
        os.utime(path, (at, at))
        return path


def _due(estate: Estate, number: int) -> Path:
    path = estate.file(estate.directory(number), f"app.log.{number // 35 + 1}.gz")
    estate.due.add(path)
    return path


def _excluded(estate: Estate, number: int) -> Path:
    return estate.file(estate.directory(number), f"keep-app.log.{number // 35 + 1}")


def _not_included(estate: Estate, number: int) -> Path:
    return estate.file(estate.directory(number), f"app.dat.{number // 35 + 1}")


def _young(estate: Estate, number: int) -> Path:
    return estate.file(estate.directory(number), f"app.log.{number // 35 + 1}.gz", age=KEEP_AGE / 2)


def _without_log(estate: Estate, number: int) -> Path:
    return estate.file(estate.directory(number), f"other.log.{number // 35 + 1}")


def _hard_linked(estate: Estate, number: int) -> Path:
    path = estate.file(estate.directory(number), f"app.log.{number // 35 + 1}.gz")
    (estate.elsewhere / f"link-{number}").hardlink_to(path)
    return path


def _linked_to(estate: Estate, number: int) -> Path:
    path = estate.file(estate.directory(number), f"app.log.{number // 35 + 1}.gz")
    (path.parent / f"current-{number}").symlink_to(path.name)
    return path


def _link(estate: Estate, number: int) -> Path:
    outside = estate.file(estate.elsewhere, f"outside-{number}")
    path = estate.directory(number) / f"app.log.{number // 35 + 1}.gz"
    path.symlink_to(outside)
    return path


def _written(estate: Estate, number: int) -> Path:
    """As a program does whose log was renamed and that was not told."""
    path = estate.file(estate.directory(number), f"app.log.{number // 35 + 1}")
    estate.stack.enter_context(path.open("ab"))
    return path


def _immutable(estate: Estate, number: int) -> Path:
    path = estate.file(estate.directory(number), f"app.log.{number // 35 + 1}.gz")
    subprocess.run(["chattr", "+i", path], check=True)
    estate.stack.callback(subprocess.run, ["chattr", "-i", path], check=False)
    return path


def _mounted(estate: Estate, number: int) -> Path:
    """In one directory of another file system, seen through a bind mount."""
    return estate.file(estate.root / "mount", f"app.log.{number}.gz")


RULES: dict[str, Callable[[Estate, int], Path]] = {
    "exclude:": _excluded,
    "not in include:": _not_included,
    "younger than keep_age": _young,
    "without its log": _without_log,
    "has other hard links": _hard_linked,
    "a symbolic link leads to it": _linked_to,
    "is a symbolic link": _link,
    "a process writes to it": _written,
    "immutable": _immutable,
    "another mount": _mounted,
}


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        disk = stack.enter_context(mounted(tmp_path / "disk", "ext4", 256 * MIB))
        root, elsewhere, other = disk / "logs", disk / "elsewhere", disk / "other"
        for directory in (root, root / "mount", elsewhere, other):
            directory.mkdir()
        (other / "app.log").write_bytes(b"now\n")
        stack.enter_context(bound(other, root / "mount"))
        estate = Estate(root, elsewhere, random.Random(SEED), stack)
        ways = [*RULES.items(), ("", _due)]
        for number in range(1, FILES + 1):
            rule, make = ways[number % len(ways)]
            path = make(estate, number)
            if rule:
                estate.protected[path] = rule
        print(f"seed {SEED}: {len(estate.protected)} protected, {len(estate.due)} due")
        yield estate


def found(*roots: Path) -> dict[Path, tuple[int, int, int, int]]:
    """Every file there is, without following links."""
    return {
        path: (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_nlink)
        for root in roots
        for path in root.rglob("*")
        if not (facts := path.lstat()).st_mode & 0o040000
    }


async def test_nothing_protected_is_planned_and_apply_does_what_the_plan_said_to_the_byte(estate: Estate) -> None:
    rotation = {"max_file_bytes": MIB, "keep_count": 100_000, "keep_age": KEEP_AGE, "compress": False}
    target = task(estate.root, recursive=True, exclude=["keep-*"], rotation=rotation)
    before = found(estate.root, estate.elsewhere)
    free_before = shutil.disk_usage(estate.root).free
    plan = await target.plan("logs")
    planned = {estate.root / name for action in plan.actions for name in deleted_by(action)}
    wrong = {path: estate.protected[path] for path in planned & set(estate.protected)}
    assert not wrong
    assert planned == estate.due
    assert {action.kind for action in plan.actions} <= {"delete", "delete-many"}
    assert found(estate.root, estate.elsewhere) == before, "a plan changed something"

    effects = [await target.apply("logs", action) for action in plan.actions]
    after = found(estate.root, estate.elsewhere)
    assert set(before) - set(after) == planned
    assert {path: facts for path, facts in before.items() if path not in planned} == after
    assert [effect.state for effect in effects] == ["done"] * len(plan.actions)
    estimated = [action.estimated_bytes for action in plan.actions]
    assert [effect.freed_bytes for effect in effects] == estimated
    os.sync()
    assert shutil.disk_usage(estate.root).free - free_before == sum(estimated)
    assert not (await target.plan("logs")).actions


async def test_what_becomes_protected_after_the_plan_is_left_alone(estate: Estate) -> None:
    """Each due file becomes protected by another rule before the plan is applied."""
    rotation = {"max_file_bytes": MIB, "keep_count": 100_000, "keep_age": KEEP_AGE, "compress": False}
    target = task(estate.root, recursive=True, exclude=["keep-*"], rotation=rotation)
    plan = await target.plan("logs")
    ways: list[Callable[[Path], object]] = [
        lambda path: (estate.elsewhere / f"late-{path.stat().st_ino}").hardlink_to(path),
        lambda path: (path.parent / f"late-{path.name}").symlink_to(path.name),
        lambda path: estate.stack.enter_context(path.open("ab")),
        lambda path: path.write_bytes(b"changed since"),
        lambda path: path.rename(path.with_suffix(".dat")) and path.write_bytes(b"another"),
        lambda path: os.utime(path),
    ]
    for number, path in enumerate(sorted(estate.due)):
        ways[number % len(ways)](path)
    before = found(estate.root, estate.elsewhere)
    for action in plan.actions:
        assert (await target.apply("logs", action)).state == "skipped", action.object
    assert found(estate.root, estate.elsewhere) == before
