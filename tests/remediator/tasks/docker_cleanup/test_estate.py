"""A Docker engine full of things, a tenth of them protected by each rule: nothing protected is in a plan, apply does
what the plan said, to the byte, and what becomes protected after the plan is left alone.

Made from a seed. UPKEEPER_ESTATE_OBJECTS=2000 is the long form.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest
from docker.types import IPAMConfig, IPAMPool

from exporter.docker.engine import DockerEngine
from exporter.inventory.docker import Docker
from remediator.model.task import Plan
from remediator.tasks.docker_cleanup.task import TARGET, DockerCleanup
from tests.docker_images import root_tar
from tests.dockerd import Dockerd
from tests.helpers import rounds

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.torture, pytest.mark.timeout(3600)]

OBJECTS = rounds("ESTATE_OBJECTS", 60, 2000)
SEED = int(os.environ.get("UPKEEPER_ESTATE_SEED", "11"))
DAY = 86400.0
KEEP = {"upkeeper.keep": "no"}  # whatever its value
MOST_NETWORKS = 60
"""Each is a bridge of this machine."""
MOST_RUNNING = 20

Kind = Literal["containers", "images", "networks", "volumes"]
Thing = tuple[Kind, str]
ACTIONS = {"remove-container": "containers", "remove-image": "images", "remove-network": "networks"}


@dataclass
class Estate:
    """What was made, by kind and id."""

    dockerd: Dockerd
    dice: random.Random
    due: set[Thing] = field(default_factory=set)
    protected: dict[Thing, str] = field(default_factory=dict)
    """With the rule that protects each."""
    networks: int = 0
    running: int = 0

    def container(self, name: str, image: str | None = None, written: int = 0, **options: object) -> Thing:
        """One that never ran, with so many bytes in its layer."""
        made = self.dockerd.run(name, ["sleep", "1000"], start=False, image=image, **options)  # type: ignore[arg-type]
        if written:
            made.put_archive("/", root_tar({"written": self.dice.randbytes(written)}))
        return "containers", str(made.id)

    def image(self, labels: dict[str, str] | None = None) -> Thing:
        """One without a tag that can be built again, of one to three layers."""
        layers = [{f"layer{number}": self.dice.randbytes(2000)} for number in range(self.dice.randint(1, 3))]
        return "images", self.dockerd.load_built(layers, labels)

    def network(self, name: str, labels: dict[str, str]) -> Thing:
        self.networks += 1
        subnet = f"10.{77 + self.networks // 250}.{self.networks % 250}.0/28"
        made = self.dockerd.network(name, labels, IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]))
        return "networks", str(made.id)


def _of_compose(name: str) -> dict[str, str]:
    return {"com.docker.compose.project": name, "com.docker.compose.network": "default"}


def _due_container(estate: Estate, name: str) -> set[Thing]:
    return {estate.container(name, written=estate.dice.choice((0, 100, 20_000)))}


def _due_one_off(estate: Estate, name: str) -> set[Thing]:
    labels = {"com.docker.compose.service": name, "com.docker.compose.oneoff": "True"}
    return {estate.container(name, written=20_000, labels=labels)}


def _due_pair(estate: Estate, name: str) -> set[Thing]:
    """One names the other, and both go."""
    parent = estate.container(f"{name}-parent")
    return {parent, estate.container(name, volumes_from=[f"{name}-parent"])}


def _due_image(estate: Estate, name: str) -> set[Thing]:
    return {estate.image()}


def _due_image_of_a_due_container(estate: Estate, name: str) -> set[Thing]:
    image = estate.image()
    return {image, estate.container(name, image=image[1])}


def _due_network(estate: Estate, name: str) -> set[Thing]:
    return {estate.network(name, _of_compose(name))}


def _due_network_of_a_due_container(estate: Estate, name: str) -> set[Thing]:
    network = estate.network(f"{name}-net", _of_compose(name))
    return {network, estate.container(name, network_mode=f"{name}-net")}


def _kept_container(estate: Estate, name: str) -> set[Thing]:
    return {estate.container(name, labels=KEEP)}


def _kept_image(estate: Estate, name: str) -> set[Thing]:
    return {estate.image(KEEP)}


def _kept_network(estate: Estate, name: str) -> set[Thing]:
    return {estate.network(name, {**_of_compose(name), **KEEP})}


def _running(estate: Estate, name: str) -> set[Thing]:
    estate.running += 1
    return {("containers", str(estate.dockerd.run(name, ["sleep", "1000"]).id))}


def _with_anonymous_volume(estate: Estate, name: str) -> set[Thing]:
    thing = estate.container(name, volumes=["/data"])
    mounts = estate.dockerd.client.api.inspect_container(thing[1])["Mounts"]
    return {thing, *(("volumes", str(each["Name"])) for each in mounts)}


def _named_by_one_that_stays(estate: Estate, name: str) -> set[Thing]:
    parent = estate.container(f"{name}-parent")
    return {parent, estate.container(name, volumes_from=[f"{name}-parent"], labels=KEEP)}


def _service_with_what_it_wrote(estate: Estate, name: str) -> set[Thing]:
    return {estate.container(name, written=20_000, labels={"com.docker.compose.service": name})}


def _tagged(estate: Estate, name: str) -> set[Thing]:
    return {("images", estate.dockerd.tagged_image(f"{name}:1"))}


def _imported(estate: Estate, name: str) -> set[Thing]:
    return {("images", estate.dockerd.imported_image())}


def _image_of_one_that_stays(estate: Estate, name: str) -> set[Thing]:
    image = estate.image()
    return {image, estate.container(name, image=image[1], labels=KEEP)}


def _network_of_another(estate: Estate, name: str) -> set[Thing]:
    return {estate.network(name, {"com.docker.compose.project": name})}


def _network_of_one_that_stays(estate: Estate, name: str) -> set[Thing]:
    network = estate.network(f"{name}-net", _of_compose(name))
    return {network, estate.container(name, network_mode=f"{name}-net", labels=KEEP)}


def _volume(estate: Estate, name: str) -> set[Thing]:
    return {("volumes", str(estate.dockerd.client.volumes.create(name).name))}


Make = Callable[[Estate, str], set[Thing]]
DUE: tuple[Make, ...] = (
    _due_container, _due_one_off, _due_pair, _due_image, _due_image_of_a_due_container, _due_network,
    _due_network_of_a_due_container,
)  # fmt: skip
PROTECTED: tuple[Make, ...] = (
    _kept_container, _kept_image, _kept_network, _running, _with_anonymous_volume, _named_by_one_that_stays,
    _service_with_what_it_wrote, _tagged, _imported, _image_of_one_that_stays, _network_of_another,
    _network_of_one_that_stays, _volume,
)  # fmt: skip


@pytest.fixture
def estate(clean_dockerd: Dockerd, request: pytest.FixtureRequest) -> Estate:
    """Of every kind as many as of any other, in any order, but for what costs the machine much."""
    print(f"seed: UPKEEPER_ESTATE_SEED={SEED} UPKEEPER_ESTATE_OBJECTS={OBJECTS}")
    made = Estate(clean_dockerd, random.Random(SEED))
    most = OBJECTS // getattr(request, "param", 1)
    makes = [*DUE, *PROTECTED] * (most // (len(DUE) + len(PROTECTED)) + 1)
    made.dice.shuffle(makes)
    count = 0
    while makes and count < most:
        make = makes.pop()
        if ("network" in make.__name__ and made.networks >= MOST_NETWORKS) or (
            make is _running and made.running >= MOST_RUNNING
        ):
            makes.append(made.dice.choice((_due_container, _due_image, _kept_container, _tagged, _volume)))
            continue
        things = make(made, f"thing-{len(makes)}")
        count += len(things)
        if make in DUE:
            made.due |= things
        else:
            made.protected |= dict.fromkeys(things, make.__name__)
    return made


@pytest.fixture
def task(clean_dockerd: Dockerd) -> Iterator[DockerCleanup]:
    """With its default limits, two days from now."""
    engine = DockerEngine(clean_dockerd.host)
    yield DockerCleanup(engine, Docker(), clock=lambda: time.time() + 2 * DAY)
    engine.close()


def found(dockerd: Dockerd) -> set[Thing]:
    """All that there is, read without the product's code, but for the engine's own networks."""
    api = dockerd.client.api
    things: set[Thing] = {("containers", each["Id"]) for each in api.containers(all=True)}
    things |= {("images", each["Id"]) for each in api.images(all=True)}
    things |= {("networks", each["Id"]) for each in api.networks() if each["Name"] not in ("bridge", "host", "none")}
    return things | {("volumes", each["Name"]) for each in api.volumes()["Volumes"] or []}


def held_bytes(dockerd: Dockerd) -> int:
    """Of all layers of images and containers, by the engine's word."""
    usage = dockerd.client.api.df()
    return int(usage["LayersSize"] or 0) + sum(each.get("SizeRw") or 0 for each in usage["Containers"] or [])


def planned(plan: Plan) -> set[Thing]:
    assert {action.kind for action in plan.actions} <= set(ACTIONS)
    return {(ACTIONS[action.kind], str(action.params["id"])) for action in plan.actions}  # type: ignore[misc]


async def test_nothing_protected_is_planned_and_apply_does_what_the_plan_said(
    estate: Estate, task: DockerCleanup
) -> None:
    dockerd, before, bytes_before = estate.dockerd, found(estate.dockerd), held_bytes(estate.dockerd)
    young = await DockerCleanup(task._engine, Docker()).plan(TARGET)
    assert young.actions == [], "what was made a moment ago is too young"

    plan = await task.plan(TARGET)

    wrong = {thing: estate.protected[thing] for thing in planned(plan) & set(estate.protected)}
    assert wrong == {}
    assert planned(plan) == estate.due
    assert found(dockerd) == before, "a plan changed something"

    effects = [await task.apply(TARGET, action) for action in plan.actions]

    assert [effect.state for effect in effects] == ["done"] * len(plan.actions)
    assert before - found(dockerd) == planned(plan)
    assert found(dockerd) <= before
    assert [effect.freed_bytes for effect in effects] == [action.estimated_bytes for action in plan.actions]
    assert bytes_before - held_bytes(dockerd) == sum(effect.freed_bytes for effect in effects)
    assert (await task.plan(TARGET)).actions == []
    print(
        f"{len(before)} objects, {len(estate.due)} due, {sum(action.estimated_bytes for action in plan.actions)} bytes"
    )


@pytest.mark.parametrize("estate", [4], ids=["a-quarter"], indirect=True)
async def test_what_becomes_protected_after_the_plan_is_left_alone(estate: Estate, task: DockerCleanup) -> None:
    """Each due image, network and container is taken into use between the plan and its apply."""
    plan = await task.plan(TARGET)
    api = estate.dockerd.client.api
    for number, (kind, id) in enumerate(sorted(estate.due)):
        if kind == "images" and number % 2:
            api.tag(id, f"late-{number}", "1")
        elif kind == "images":
            estate.container(f"late-{number}", image=id, labels=KEEP)
        elif kind == "networks":
            estate.container(f"late-{number}", network_mode=id, labels=KEEP)
        else:
            estate.container(f"late-{number}", volumes_from=[id], labels=KEEP)
    before = found(estate.dockerd)

    effects = [await task.apply(TARGET, action) for action in plan.actions]

    assert {effect.state for effect in effects} == {"skipped"}
    assert found(estate.dockerd) == before
    assert (await task.plan(TARGET)).actions == []
