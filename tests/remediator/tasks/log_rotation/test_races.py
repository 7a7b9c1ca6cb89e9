"""Races: another process swaps links, mounts and other files in while the log directory is worked on.

Nothing outside of it may change, and no file may be lost that the plan was not to delete. Each round is made from its
seed. UPKEEPER_RACE_TRIES=100000 is the long form.
"""

import gzip
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediator.model.task import Action, TaskError
from remediator.tasks.log_rotation.steps import Delete, Deletion
from tests.helpers import rounds
from tests.remediator.tasks.log_rotation.logdir import KIB, task

pytestmark = [pytest.mark.slow, pytest.mark.torture]

TRIES = rounds("RACE_TRIES", 400, 100_000)
"""Actions that are tried."""


@dataclass
class Swapper:
    process: subprocess.Popen[str]

    def begin(self, root: Path, outside: Path, seed: int) -> None:
        self._say(f"{root} {outside} {seed}")
        assert self._hear() == "begun"

    def stop(self) -> int:
        """How many swaps there were."""
        self._say("stop")
        return int(self._hear())

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def swapping(module: str) -> Iterator[Swapper]:
    """An adversary, in a process of its own."""
    command = [sys.executable, "-m", module]
    # A mount namespace of its own would hide its mounts from those who are to fall for them.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Swapper(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def swapper() -> Iterator[Swapper]:
    with swapping("tests.remediator.tasks.log_rotation.log_swapper") as swapper:
        yield swapper


def make(root: Path, outside: Path, dice: random.Random) -> dict[int, bytes]:
    """A tree of logs and of what is none, and files outside of it. What each inode's file holds."""
    held: dict[int, bytes] = {}

    def put(path: Path, size: int) -> None:
        content = b"%s of %d\n" % (os.fsencode(path.name), dice.getrandbits(60))
        path.write_bytes(content * max(1, size // len(content)))
        held[path.stat().st_ino] = content

    for name in ("a", "b", "c"):
        directory = root / name
        directory.mkdir(parents=True)
        put(directory / "app.log", dice.choice([100, 3 * KIB]))
        for number in range(1, 7):
            put(directory / f"app.log.{number}", 200)
        put(directory / "one.db", 100)
        put(directory / "two.db", 100)
    outside.mkdir()
    for name in ("app.log", *(f"app.log.{number}" for number in range(1, 7)), "passwd"):
        put(outside / name, 300)
    return held


def facts_of(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    return {
        path.name: (path.lstat().st_ino, path.lstat().st_mode, path.lstat().st_uid, path.read_bytes())
        for path in directory.iterdir()
    }


def contents(root: Path) -> set[bytes]:
    """The first lines of all files."""
    found = set()
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            found |= {line + b"\n" for line in text.splitlines()}
    return found


def doomed(action: Action) -> set[int]:
    """The inodes of the files that an action is to delete."""
    if action.kind == "delete":
        return {Delete.model_validate(action.params).identity.inode}
    if action.kind != "delete-many":
        return set()
    listing = Deletion.model_validate(action.params).listing()
    return {int(mark.partition(":")[0]) for _, files in listing for _, mark in files}


async def race(place: Path, swapper: Swapper, seed: int) -> tuple[int, int, int]:
    """A round: how many actions were tried, how many of them done, and how many swaps were made meanwhile."""
    dice = random.Random(seed)
    root, outside = place / "logs", place / "outside"
    held = make(root, outside, dice)
    before = facts_of(outside)
    rotation = {
        "max_file_bytes": KIB,
        "keep_count": dice.choice([1, 3]),
        "method": dice.choice(["rename", "copytruncate", "auto"]),
        "compress": dice.random() < 0.7,
    }
    target = task(root, recursive=True, rotation=rotation)
    plan = await target.plan("logs")
    planned = set().union(*(doomed(action) for action in plan.actions))
    tried = done = 0
    swapper.begin(root, outside, seed)
    try:
        for action in plan.actions:
            tried += 1
            try:
                done += (await target.apply("logs", action)).state == "done"
            except TaskError:
                continue
    finally:
        swaps = swapper.stop()
    assert facts_of(outside) == before, f"seed {seed}: something outside was changed"
    left = contents(root)
    lost = {content for inode, content in held.items() if inode not in planned and content not in left}
    lost -= contents(outside)
    assert not lost, f"seed {seed}: lost {lost}"
    return tried, done, swaps


async def test_whatever_is_swapped_in_nothing_escapes_and_nothing_is_lost(
    tmp_path: Path, swapper: Swapper, request: pytest.FixtureRequest
) -> None:
    first = int(os.environ.get("UPKEEPER_RACE_SEED", "1"))
    tried = done = swaps = 0
    seed = first
    while tried < TRIES:
        place = tmp_path / f"round-{seed}"
        place.mkdir()
        result = await race(place, swapper, seed)
        tried, done, swaps = tried + result[0], done + result[1], swaps + result[2]
        shutil.rmtree(place)
        seed += 1
    print(f"seeds {first} to {seed - 1}: {tried} actions tried, {done} done, beside {swaps} swaps")
    assert done, "the adversary left nothing to do"
    assert done < tried, "the adversary was not there"
    assert swaps > tried
