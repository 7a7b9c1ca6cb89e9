"""image-update of services with several containers: one service, of which all run the same or none does."""

import shutil
from typing import Any

import pytest

from remediator.tasks.image_update.compose import Compose
from tests.helpers import LONG, missing
from tests.remediator.tasks.image_update.house import (
    TARGET,
    House,
    Make,
    differences,
    essence,
    states,
    updated,
)

pytestmark = pytest.mark.servers


def assert_same(before: list[dict[str, object]], after: list[dict[str, object]]) -> None:
    """Nothing of any of them is lost, and none is more or less."""
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert not differences(essence(one, with_image=False), essence(other, with_image=False))


# The first that finds the directory missing is the only one that is sick: one of several.
ONE_IS_SICK = "test -f /sick && mkdir /data/taken && exit 1; exec sleep 1000"


def prepared(house: House, count: int) -> None:
    (house.project / "data").mkdir()
    house.services["app"] |= {"scale": count, "command": [ONE_IS_SICK], "volumes": ["./data:/data"]}


async def test_all_are_made_anew_and_go_back_together(house: House) -> None:
    """Also where Compose was told another number by hand."""
    prepared(house, 2)
    house.push()
    house.up()
    before = house.containers()
    second = house.push()
    plan = await house.task().plan(TARGET)
    assert "all 2 containers" in plan.actions[-1].reason
    assert states(await updated(house.task())) == ["done", "done"]
    assert house.digests() == [second] * 2
    assert_same(before, house.containers())

    house.compose("up", "-d", "--scale", "app=3")
    before = house.containers()
    assert len(before) == 3
    house.push("1", "sick")
    (_, problem) = await updated(house.task())
    assert isinstance(problem, str)
    assert "went back" in problem, problem
    assert (house.project / "data" / "taken").is_dir(), "the new image was there"
    assert house.digests() == [second] * 3, "all of them are back, and none was lost to the file's number"
    assert_same(before, house.containers())
    assert not list(house.state.rglob("*.update.json"))

    second_one = house.containers()[1]["Id"]
    house.dockerd.client.api.kill(second_one)
    house.dockerd.client.api.wait(second_one)
    plan = await house.task().plan(TARGET, {"again": True})
    assert not plan.actions
    assert "pa-app-2 is not running, and stays as it is" in plan.notes[0], plan


@LONG
@pytest.mark.torture
async def test_compose_1_too(houses: Make) -> None:
    program = shutil.which("docker-compose") or ""
    if not program:
        missing("docker-compose 1.29 is not on PATH (Debian package docker-compose)")
    house = houses(program)
    prepared(house, 2)
    house.push()
    house.up()
    before = house.containers()
    second = house.push()
    assert states(await updated(house.task())) == ["done", "done"]
    assert house.digests() == [second] * 2
    assert_same(before, house.containers())
    house.push("1", "sick")
    (_, problem) = await updated(house.task())
    assert "went back" in str(problem), problem
    assert house.digests() == [second] * 2
    assert_same(before, house.containers())


class Killed(BaseException):
    """As by kill -9."""


@LONG
@pytest.mark.torture
async def test_killed_with_one_of_them_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(house, 2)
    house.push()
    house.up()
    second = house.push()
    up = Compose.up

    async def half(self: Compose, *given: Any) -> None:
        await up(self, *given)
        api = house.dockerd.client.api
        one = house.containers()[1]["Id"]
        api.kill(one)
        api.wait(one)
        raise Killed

    task = house.task()
    pull, change = (await task.plan(TARGET)).actions
    await task.apply(TARGET, pull)
    with monkeypatch.context() as patched:
        patched.setattr(Compose, "up", half)
        with pytest.raises(Killed):
            await task.apply(TARGET, change)
    again = house.task()
    assert [each.kind for each in (await again.plan(TARGET)).actions] == ["finish-update"]
    assert states(await updated(again)) == ["done"]
    assert house.digests() == [second] * 2
    assert not list(house.state.rglob("*.update.json"))
