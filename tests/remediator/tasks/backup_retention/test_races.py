"""Races: another process swaps sets, links and mounts in while sets are deleted.

Nothing outside of the series may change, and no set that the plan did not name may lose anything, also where a deletion
that was disturbed is finished later. UPKEEPER_RACE_SETS is how many deletions, UPKEEPER_RACE_SEED where it begins.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediator.model.task import TaskError
from tests.helpers import rounds
from tests.remediator.tasks.backup_retention.test_task import House, tree
from tests.remediator.tasks.log_rotation.test_races import Swapper, swapping

pytestmark = [pytest.mark.slow, pytest.mark.torture]

DELETIONS = rounds("RACE_SETS", 60, 20_000)
KEPT = 3


@pytest.fixture
def swapper() -> Iterator[Swapper]:
    with swapping("tests.remediator.tasks.backup_retention.set_swapper") as swapper:
        yield swapper


def data(directory: Path) -> set[bytes]:
    return {path.read_bytes() for path in directory.rglob("data") if path.is_file() and not path.is_symlink()}


async def race(place: Path, swapper: Swapper, seed: int) -> tuple[int, int]:
    """A round: how many deletions were tried, and how many done."""
    house, outside = House(place), place / "outside"
    for number in range(3):
        (outside / f"deep{number}").mkdir(parents=True)
        (outside / f"data{number}").write_bytes(os.urandom(100))
        (outside / f"deep{number}" / "data").write_bytes(os.urandom(100))
    kept = [house.path / house.lay(days) for days in range(KEPT)]
    precious = set().union(*(data(each) for each in kept))
    for days in range(20, 26):
        house.lay(days)
    before = [(name, size) for name, size, _ in tree(outside)]
    plan = await house.plan()
    assert len(plan.actions) == 6
    tried = done = 0
    swapper.begin(house.path, outside, seed)
    try:
        for action in plan.actions:
            tried += 1
            try:
                done += (await house.task.apply("pa", action)).state == "done"
            except TaskError:
                continue
    finally:
        swapper.stop()
    assert [(name, size) for name, size, _ in tree(outside)] == before, f"seed {seed}: something outside was changed"
    assert precious <= data(house.path), f"seed {seed}: a set that stays has lost something"
    for finish in [action for action in await left(house) if action.kind == "finish-deletion"]:
        await house.task.apply("pa", finish)
    assert [(name, size) for name, size, _ in tree(outside)] == before, f"seed {seed}: something outside was changed"
    assert precious <= data(house.path), f"seed {seed}: a set that stays was taken for one that goes"
    return tried, done


async def left(house: House) -> list:  # type: ignore[type-arg]
    try:
        return list((await house.plan()).actions)
    except TaskError:
        return []


async def test_whatever_is_swapped_in_no_other_set_loses_anything(tmp_path: Path, swapper: Swapper) -> None:
    first = seed = int(os.environ.get("UPKEEPER_RACE_SEED", "1"))
    tried = done = 0
    began = time.monotonic()
    while tried < DELETIONS:
        place = tmp_path / f"round-{seed}"
        place.mkdir()
        found = await race(place, swapper, seed)
        tried, done = tried + found[0], done + found[1]
        shutil.rmtree(place)
        seed += 1
    print(f"seeds {first} to {seed - 1}: {tried} tried, {done} done, in {time.monotonic() - began:.0f} s")
    assert done, "the adversary left nothing to do"
    assert done < tried, "the adversary was not there"
