"""docker-volume-cleanup: only what a proven set holds, and nothing that anybody has."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.backups import proofs
from exporter.docker.engine import DockerEngine
from remediator.model.task import Plan
from remediator.tasks.backup.journal import Owner
from remediator.tasks.docker_volumes.task import TARGET, DockerVolumeCleanup
from tests.dockerd import Dockerd
from tests.remediator.tasks.backup.series import made, series, task

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(os.getuid() != 0, reason="only root reads where the engine keeps volumes"),
]
NAMES = ("held", "changed", "used", "kept")
NO_SET = "no proven set of a backup holds it"


class House:
    """Volumes that a backup holds, and one that none does."""

    def __init__(self, dockerd: Dockerd, root: Path) -> None:
        self.docker, self.sets = dockerd, root / "sets"
        self.sets.mkdir()
        self.engine = DockerEngine(dockerd.host, 30.0)
        for name in (*NAMES, "never"):
            labels = {"upkeeper.keep": ""} if name == "kept" else {}
            volume = dockerd.client.volumes.create(name, labels=labels)
            (Path(volume.attrs["Mountpoint"]) / "file").write_text(name * 1000)
        self.series = series(self.sets, {"volumes": [{"name": name} for name in NAMES]})
        self.owner = Owner(host=platform.node(), state=str(root / "state"))
        self.task = self.cleanup(platform.node())

    def cleanup(self, host: str) -> DockerVolumeCleanup:
        return DockerVolumeCleanup(self.engine, [self.series], "upkeeper.keep", host)

    async def back_up(self) -> Path:
        return await made(task(self.series, owner=self.owner, engine=self.engine), self.sets)

    def file(self, name: str) -> Path:
        return Path(self.docker.client.volumes.get(name).attrs["Mountpoint"]) / "file"

    def names(self) -> set[str]:
        return {volume.name for volume in self.docker.client.volumes.list()}


def prove(directory: Path, *, success: bool = True) -> None:
    _, digest = manifests.read(directory)
    proofs.record(directory, digest, "readable", proofs.Shown(success, 1_795_000_000.0, "read to its end"))


def said(plan: Plan) -> dict[str, str]:
    """What is said of each volume that stays."""
    return {note.split()[2]: note.partition(" stays: ")[2].rstrip(".") for note in plan.notes}


@pytest.fixture
def house(clean_dockerd: Dockerd, tmp_path: Path) -> Iterator[House]:
    made = House(clean_dockerd, tmp_path)
    yield made
    made.engine.close()


async def test_only_what_a_proven_set_holds_as_it_is(house: House) -> None:
    container = house.docker.run("user", "exit 0", volumes=["used:/data"])
    container.wait()
    directory = await house.back_up()
    house.file("changed").write_text("since the backup")
    plan = await house.task.plan(TARGET)
    assert not plan.actions, "a set of which nothing was proven holds nothing"
    assert said(plan)["held"] == NO_SET
    prove(directory)
    plan = await house.task.plan(TARGET)
    (action,) = plan.actions
    assert action.object == "held"
    assert f"the proven set {directory.name} of pa" in action.reason
    found = said(plan)
    assert found["never"] == NO_SET
    assert found["changed"].startswith("it was changed since")
    assert found["kept"] == "it has the label upkeeper.keep"
    assert "used" not in found, "a stopped container has it"
    assert not (await house.cleanup("another-host").plan(TARGET)).actions, "the set of another machine"
    assert (await house.task.measure(TARGET)).values == {"volumes_unused": 4}

    content = house.file("held").read_text()
    house.file("held").write_text("changed since the plan")
    assert (await house.task.apply(TARGET, action)).detail.startswith("it was changed since")
    prove(await house.back_up())
    again = (await house.task.plan(TARGET)).actions
    assert {each.object for each in again} == {"held", "changed"}, "the newest proven set has both as they are"
    (action,) = (each for each in again if each.object == "held")
    effect = await house.task.apply(TARGET, action)
    assert effect.state == "done"
    assert effect.detail.endswith("--name pa --only volume:held")
    assert effect.freed_bytes > 0
    assert content
    assert house.names() == {"changed", "used", "kept", "never"}
    assert (await house.task.apply(TARGET, action)).detail == "it is gone, or in use"


async def test_what_came_since_the_plan_stays(house: House) -> None:
    directory = await house.back_up()
    prove(directory)
    actions = {action.object: action for action in (await house.task.plan(TARGET)).actions}
    assert actions.keys() == {"held", "changed", "used"}
    house.docker.run("late", "exit 0", start=False, volumes=["held:/data"])
    assert (await house.task.apply(TARGET, actions["held"])).detail == "it is gone, or in use"
    house.docker.client.volumes.get("changed").remove()
    house.docker.client.volumes.create("changed")
    assert (await house.task.apply(TARGET, actions["changed"])).state == "skipped"
    prove(directory, success=False)
    assert (await house.task.apply(TARGET, actions["used"])).detail == NO_SET
    assert house.names() == {*NAMES, "never"}
