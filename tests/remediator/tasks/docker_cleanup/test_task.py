"""docker-cleanup against a private engine that holds objects in every state."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from docker.models.containers import Container
from docker.types import LogConfig

from exporter.collectors.docker_usage import DockerUsageCollector
from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.docker.image_uses import path_of
from exporter.findings.pinned_digests import PinnedDigests
from exporter.inventory.docker import CleanupPolicy, Docker, DockerUsageSettings
from remediator.model.task import Action, Effect, Plan
from remediator.tasks.docker_cleanup.removal import remove_unless_used
from remediator.tasks.docker_cleanup.task import TARGET, DockerCleanup
from tests.dockerd import Dockerd

pytestmark = pytest.mark.servers

ANY_AGE = CleanupPolicy(containers_min_age=0, images_min_age=0, networks_min_age=0, build_cache_min_age=0)
KEEP = {"upkeeper.keep": "true"}
COMPOSE = {"com.docker.compose.project": "pa", "com.docker.compose.network": "default"}
FOREVER = "sleep 1000"
MIB = 1024**2
HANG_GUARD = 30.0

Inventory = dict[str, set[str]]


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    connection = DockerEngine(clean_dockerd.host)
    yield connection
    connection.close()


@pytest.fixture
def task(engine: DockerEngine) -> DockerCleanup:
    return DockerCleanup(engine, Docker(cleanup=ANY_AGE, cleanable_max_bytes=0))


def inventory(dockerd: Dockerd) -> Inventory:
    """The ids of all objects by kind, read without the product's code."""
    api = dockerd.client.api
    return {
        "containers": {entry["Id"] for entry in api.containers(all=True)},
        "images": {entry["Id"] for entry in api.images(all=True)},
        "networks": {entry["Id"] for entry in api.networks()},
        "volumes": {entry["Name"] for entry in api.volumes()["Volumes"] or []},
        "build_cache": {entry["ID"] for entry in api.df()["BuildCache"] or []},
    }


def planned(plan: Plan) -> Inventory:
    """The ids that a plan names, by kind."""
    kinds = {"remove-container": "containers", "remove-image": "images", "remove-network": "networks"}
    found: Inventory = {kind: set() for kind in ("containers", "images", "networks", "volumes", "build_cache")}
    for action in plan.actions:
        if action.kind == "prune-build-cache":
            found["build_cache"] |= set(cast(list[str], action.params["ids"]))
        else:
            found[kinds[action.kind]].add(str(action.params["id"]))
    return found


def named(plan: Plan) -> set[tuple[str, str]]:
    return {(action.kind, action.object) for action in plan.actions if action.kind != "prune-build-cache"}


def short(image: str) -> str:
    return image.removeprefix("sha256:")[:12]


def exited(dockerd: Dockerd, name: str, command: str = "exit 0", **options: Any) -> Container:
    container = dockerd.run(name, command, **options)
    container.wait()
    return container


async def apply_all(task: DockerCleanup, plan: Plan) -> list[Effect]:
    return [await task.apply(TARGET, action) for action in plan.actions]


async def only_action(task: DockerCleanup) -> Action:
    plan = await task.plan(TARGET)
    assert len(plan.actions) == 1, plan
    return plan.actions[0]


def populate(dockerd: Dockerd) -> set[tuple[str, str]]:
    """Makes objects in every state. Returns what a cleanup of any age may remove, build cache apart."""
    kept_image = dockerd.dangling_image(labels=KEEP)
    dockerd.imported_image()
    running_image, stopped_image, kept_users_image = (dockerd.dangling_image() for _ in range(3))
    unused_image = dockerd.dangling_image(size=MIB)
    dockerd.tagged_image("unused:1")
    for network, labels in (
        ("lonely", COMPOSE),
        ("stopped-net", COMPOSE),
        ("busy-net", COMPOSE),
        ("held-net", COMPOSE),
        ("kept-net", COMPOSE | KEEP),
        ("external", {}),
    ):
        dockerd.network(network, labels)

    dockerd.run("running", FOREVER, network_mode="busy-net")
    dockerd.run("paused", FOREVER).pause()
    dockerd.run("restarting", "exit 1", restart_policy={"Name": "always"})
    dockerd.run("never-started", FOREVER, start=False)
    exited(dockerd, "stopped", "dd if=/dev/zero of=/written bs=1024 count=64", network_mode="stopped-net")
    exited(dockerd, "failed", "exit 3", volumes=["named:/named"])
    exited(dockerd, "with-data", volumes=["/anonymous"])
    exited(dockerd, "kept", labels=KEEP, network_mode="held-net")

    create = partial(dockerd.client.containers.create, command=["/payload"], network_mode="none")
    create(stopped_image, name="of-stopped-image")
    create(kept_users_image, name="of-kept-users-image", labels=KEEP)
    create(running_image, name="of-running-image", labels=KEEP)
    assert kept_image != unused_image

    busybox = dockerd.import_busybox()
    dockerd.build(
        "built:1", f"FROM {busybox}\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/x bs=1024 count=64\n"
    )
    return {
        ("remove-container", "never-started"),
        ("remove-container", "stopped"),
        ("remove-container", "failed"),
        ("remove-container", "of-stopped-image"),
        ("remove-network", "lonely"),
        ("remove-network", "stopped-net"),
        ("remove-image", short(unused_image)),
        ("remove-image", short(stopped_image)),
    }


async def test_it_removes_what_the_plan_lists_and_nothing_else(clean_dockerd: Dockerd, task: DockerCleanup) -> None:
    expected = populate(clean_dockerd)
    before, measured_before = inventory(clean_dockerd), await task.measure(TARGET)

    plan = await task.plan(TARGET)

    assert named(plan) == expected
    assert inventory(clean_dockerd) == before, "planning changed something"

    effects = await apply_all(task, plan)

    after, names = inventory(clean_dockerd), planned(plan)
    assert [effect.state for effect in effects] == ["done"] * len(plan.actions)
    for kind in ("containers", "images", "networks"):
        assert after[kind] == before[kind] - names[kind], kind
    assert len(before["volumes"]) == 2
    assert after["volumes"] == before["volumes"]
    removed_records = before["build_cache"] - after["build_cache"]
    assert removed_records
    assert removed_records <= names["build_cache"]
    measured_after = await task.measure(TARGET)
    assert measured_before.breached
    assert not measured_after.breached
    assert task.improved(measured_before, measured_after)
    freed = sum(effect.freed_bytes for effect in effects)
    assert freed >= MIB + 2 * 64 * 1024
    assert measured_before.values["total_bytes"] - measured_after.values["total_bytes"] == freed


async def test_applying_a_second_time_changes_nothing(clean_dockerd: Dockerd, task: DockerCleanup) -> None:
    populate(clean_dockerd)
    plan = await task.plan(TARGET)
    await apply_all(task, plan)
    before = inventory(clean_dockerd)

    effects = await apply_all(task, plan)

    assert {effect.state for effect in effects} == {"skipped"}
    assert sum(effect.freed_bytes for effect in effects) == 0
    assert inventory(clean_dockerd) == before


async def test_the_default_policy_leaves_what_is_younger_than_a_day(
    clean_dockerd: Dockerd, engine: DockerEngine
) -> None:
    expected = populate(clean_dockerd)

    assert (await DockerCleanup(engine, Docker()).plan(TARGET)).actions == []

    in_two_days = DockerCleanup(engine, Docker(), clock=lambda: time.time() + 2 * 86400)
    assert named(await in_two_days.plan(TARGET)) == expected


async def test_notes_tell_what_stays(clean_dockerd: Dockerd, task: DockerCleanup) -> None:
    clean_dockerd.client.volumes.create("precious")
    exited(clean_dockerd, "kept", labels=KEEP)

    plan = await task.plan(TARGET)

    assert plan.notes == [
        "Kept by the label upkeeper.keep: 1 object.",
        "Volumes are never touched: 1 unused, 0 B.",
    ]


class TestChangedSinceThePlan:
    """An object that changed between plan and apply is left alone."""

    async def test_a_container_that_was_started(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        container = exited(clean_dockerd, "stopped", "[ -e /again ] && sleep 1000; echo > /again")
        action = await only_action(task)
        container.start()

        effect = await task.apply(TARGET, action)

        assert (effect.state, effect.freed_bytes) == ("skipped", 0)
        assert clean_dockerd.client.containers.get("stopped").status == "running"

    async def test_a_container_that_ran_again(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        container = exited(clean_dockerd, "stopped")
        action = await only_action(task)
        container.start()
        container.wait()

        assert (await task.apply(TARGET, action)).state == "skipped"
        assert clean_dockerd.client.containers.get("stopped").status == "exited"

    async def test_another_container_of_the_same_name(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        exited(clean_dockerd, "stopped").remove()
        first = exited(clean_dockerd, "stopped")
        action = await only_action(task)
        first.remove()
        second = exited(clean_dockerd, "stopped")

        effect = await task.apply(TARGET, action)

        assert (effect.state, effect.detail) == ("skipped", "already gone")
        assert clean_dockerd.client.containers.get("stopped").id == second.id

    async def test_an_image_that_got_a_tag(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        image = clean_dockerd.dangling_image()
        action = await only_action(task)
        clean_dockerd.client.images.get(image).tag("wanted", "1")

        assert (await task.apply(TARGET, action)).state == "skipped"
        assert clean_dockerd.client.images.get("wanted:1").id == image

    async def test_an_image_that_a_container_uses(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        image = clean_dockerd.dangling_image()
        action = await only_action(task)
        clean_dockerd.client.containers.create(image, ["/payload"], name="user", network_mode="none")

        assert (await task.apply(TARGET, action)).state == "skipped"
        assert clean_dockerd.client.images.get(image).id == image

    async def test_an_image_that_another_was_built_upon(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        image = clean_dockerd.dangling_image()
        action = await only_action(task)
        assert action.object == short(image)
        upon = clean_dockerd.client.containers.create(image, ["sh"], name="upon", network_mode="none")
        upon.commit("wanted", "1")
        upon.remove()
        before = inventory(clean_dockerd)

        assert (await task.apply(TARGET, action)).state == "skipped"
        assert inventory(clean_dockerd) == before

    async def test_a_network_that_a_stopped_container_uses(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        network = clean_dockerd.network("lonely", COMPOSE)
        action = await only_action(task)
        clean_dockerd.run("user", FOREVER, start=False, network_mode="lonely")

        assert (await task.apply(TARGET, action)).state == "skipped"
        assert [found.name for found in clean_dockerd.client.networks.list(ids=[str(network.id)])] == ["lonely"]

    async def test_build_cache_that_was_used(self, clean_dockerd: Dockerd, task: DockerCleanup) -> None:
        dockerfile = f"FROM {clean_dockerd.import_busybox()}\nRUN echo used > /used\n"
        clean_dockerd.build("built:1", dockerfile)
        clean_dockerd.client.images.remove("built:1")
        action = await only_action(task)
        clean_dockerd.build("built:1", dockerfile)
        clean_dockerd.client.images.remove("built:1")
        before = inventory(clean_dockerd)

        effect = await task.apply(TARGET, action)

        assert (effect.state, effect.freed_bytes) == ("skipped", 0)
        assert inventory(clean_dockerd) == before

    async def test_what_a_failed_removal_leaves_is_not_pulled_from_under_it(
        self, clean_dockerd: Dockerd, task: DockerCleanup
    ) -> None:
        """The plan meant to remove the container first; while it is still there, its network and image are in use."""
        image = clean_dockerd.dangling_image()
        clean_dockerd.network("its-net", COMPOSE)
        clean_dockerd.client.containers.create(image, ["/payload"], name="user", network="its-net")
        plan = await task.plan(TARGET)
        before = inventory(clean_dockerd)
        assert [action.kind for action in plan.actions] == ["remove-container", "remove-network", "remove-image"]

        effects = [await task.apply(TARGET, action) for action in plan.actions[1:]]

        assert [effect.state for effect in effects] == ["skipped", "skipped"]
        assert inventory(clean_dockerd) == before


async def test_the_engine_has_the_last_word(clean_dockerd: Dockerd, engine: DockerEngine) -> None:
    """What begins to be used after the second look is refused by the engine, as nothing is forced."""
    network = clean_dockerd.network("busy-net")
    container = clean_dockerd.run("running", FOREVER, network_mode="busy-net")
    image = clean_dockerd.dangling_image()
    clean_dockerd.client.containers.create(image, ["/payload"], name="user", network_mode="none")
    before = inventory(clean_dockerd)

    for kind, key in (("containers", container.id), ("networks", network.id), ("images", image)):
        answer = await engine.call(partial(remove_unless_used, kind=cast(Any, kind), key=str(key)))
        assert str(answer).startswith("in use: "), kind

    assert inventory(clean_dockerd) == before
    assert clean_dockerd.client.containers.get("running").status == "running"


async def test_layers_that_the_build_cache_holds_go_in_the_same_run(
    clean_dockerd: Dockerd, task: DockerCleanup
) -> None:
    """A new build leaves the old image untagged, and its layers in the build cache: both together free the space."""
    busybox = clean_dockerd.import_busybox()
    for name in ("app", "next"):
        clean_dockerd.build(f"{name}:1", f"FROM {busybox}\nRUN dd if=/dev/urandom of=/{name} bs=1024 count=1024\n")
    clean_dockerd.client.images.get("next:1").tag("app", "1")
    before = await task.measure(TARGET)
    plan = await task.plan(TARGET)
    assert [action.kind for action in plan.actions] == ["remove-image", "prune-build-cache"]

    image, cache = await apply_all(task, plan)

    after = await task.measure(TARGET)
    assert image.freed_bytes < MIB // 10, "the build cache still held its layer"
    assert cache.freed_bytes >= MIB
    assert before.values["total_bytes"] - after.values["total_bytes"] == image.freed_bytes + cache.freed_bytes
    assert clean_dockerd.client.images.get("app:1")


async def test_freed_bytes_of_an_image_leave_out_layers_that_others_hold(
    clean_dockerd: Dockerd, task: DockerCleanup
) -> None:
    base, app = ({"payload": os.urandom(size)} for size in (100 * 1024, 50 * 1024))
    wanted, lower, upper = (
        clean_dockerd.load_built(layers) for layers in ([base, {"wanted": b""}], [base], [base, app])
    )
    clean_dockerd.client.images.get(wanted).tag("wanted", "1")
    before = await task.measure(TARGET)
    plan = await task.plan(TARGET)
    assert planned(plan)["images"] == {lower, upper}

    effects = await apply_all(task, plan)

    after = await task.measure(TARGET)
    freed = sum(effect.freed_bytes for effect in effects)
    assert before.values["total_bytes"] - after.values["total_bytes"] == freed
    assert 50 * 1024 <= freed < 130 * 1024, "the base is still held by another image"
    assert clean_dockerd.client.images.get("wanted:1")


async def test_a_hung_engine_is_an_error_in_time(clean_dockerd: Dockerd) -> None:
    exited(clean_dockerd, "stopped")
    engine = DockerEngine(clean_dockerd.host, timeout=1.0)
    task = DockerCleanup(engine, Docker(cleanup=ANY_AGE))
    action = await only_action(task)

    with clean_dockerd.hung():
        async with asyncio.timeout(HANG_GUARD):
            for attempt in (task.measure(TARGET), task.plan(TARGET), task.apply(TARGET, action)):
                with pytest.raises(DockerUnavailable, match=r"did not answer|cannot reach"):
                    await attempt

    effect = await task.apply(TARGET, action)
    assert effect.state == "done"
    engine.close()


async def test_a_stopped_engine_is_an_error_and_a_started_one_goes_on(
    dockerd_factory: Callable[[], Dockerd],
) -> None:
    dockerd = dockerd_factory()
    engine = DockerEngine(dockerd.host)
    task = DockerCleanup(engine, Docker(cleanup=ANY_AGE))
    with pytest.raises(DockerUnavailable, match="cannot reach the Docker engine"):
        await task.plan(TARGET)
    dockerd.start()
    container = exited(dockerd, "stopped")
    action = await only_action(task)
    dockerd.terminate()

    for attempt in (task.measure(TARGET), task.plan(TARGET), task.apply(TARGET, action)):
        with pytest.raises(DockerUnavailable, match="cannot reach the Docker engine"):
            await attempt

    dockerd.start()
    assert (await task.apply(TARGET, action)).state == "done"
    assert container.id not in inventory(dockerd)["containers"]
    engine.close()


async def test_images_with_a_tag_go_by_their_last_use(
    clean_dockerd: Dockerd, engine: DockerEngine, tmp_path: Path
) -> None:
    """The exporter writes down what containers use; forty days later nobody has used the old ones again."""
    now, day = time.time(), 86400.0
    uses = path_of(tmp_path)

    def built(*tags: str, age: float, **keys: Any) -> str:
        made = clean_dockerd.load_built([{"payload": os.urandom(20_000)}], created=now - age * day, **keys)
        for tag in tags:
            clean_dockerd.client.images.get(made).tag(*tag.split(":"))
        return made

    first, second = built("app:1", age=30), built("app:2", "app:2-alpine", age=20)
    newest, kept = built("app:3", age=10), built("kept:1", age=10, labels=KEEP)
    clean_dockerd.tagged_image("imported:1")
    built("pinned:1", age=30)
    (tmp_path / "compose.yaml").write_text("services:\n  a: {image: 'pinned:1'}\n")
    policy = CleanupPolicy(tagged_images_min_unused="30d", keep_last=1)  # type: ignore[arg-type]
    docker = Docker(cleanup=policy, cleanable_max_bytes=0)
    pinned = PinnedDigests([str(tmp_path / "compose.yaml")])
    container = clean_dockerd.client.containers.create("app:1", ["/payload"])
    await DockerUsageCollector(engine, docker, DockerUsageSettings(), lambda: now, pinned, uses).collect()
    container.remove()
    task = DockerCleanup(engine, docker, pinned, lambda: now + 40 * day, uses)

    assert not (await DockerCleanup(engine, docker, pinned, lambda: now + 29 * day, uses).plan(TARGET)).actions
    plan = await task.plan(TARGET)
    assert planned(plan)["images"] == {first, second}
    reasons = {action.object: action.reason for action in plan.actions}
    assert reasons["app:1"].startswith("last used by a container ")
    assert set(reasons) == {"app:1", "app:2, app:2-alpine"} or set(reasons) == {"app:1", "app:2-alpine, app:2"}
    again = clean_dockerd.client.containers.create("app:1", ["/payload"])
    effects = {action.object[:5]: await task.apply(TARGET, action) for action in plan.actions}
    assert effects["app:1"].state == "skipped", "it was used since the plan"
    assert effects["app:2"].state == "done"
    assert effects["app:2"].freed_bytes >= 20_000
    left = inventory(clean_dockerd)["images"]
    assert second not in left
    assert {first, newest, kept} <= left
    again.remove()


async def test_a_log_without_a_limit_is_named_with_what_limits_it(clean_dockerd: Dockerd, task: DockerCleanup) -> None:
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project.config_files": "/srv/pa/compose.yaml"}
    clean_dockerd.run("pa-web-1", "echo hello; sleep 1000", labels=labels)
    clean_dockerd.run("limited", FOREVER, log_config=LogConfig(type="json-file", config={"max-size": "1m"}))
    clean_dockerd.run("other", FOREVER)
    logs = [note for note in (await task.plan(TARGET)).notes if "log of" in note]
    assert len(logs) == 2
    web = next(note for note in logs if "pa-web-1" in note)
    assert web.endswith(
        "in /srv/pa/compose.yaml, under services: web: "
        'logging: {driver: json-file, options: {max-size: "10m", max-file: "3"}}'
    )
    assert "--log-opt max-size=10m" in next(note for note in logs if "other" in note)
