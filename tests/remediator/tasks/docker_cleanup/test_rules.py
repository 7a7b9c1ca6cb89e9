"""docker-cleanup's decisions, without an engine."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from exporter.docker.engine import DockerEngine
from exporter.docker.objects import CacheRecord, Container, Image, Network, Usage
from exporter.inventory.docker import CleanupPolicy, Docker
from remediator.model.task import Action, Measurement, TaskError
from remediator.tasks.docker_cleanup.removal import chain_ids, freed_by_layers
from remediator.tasks.docker_cleanup.task import TARGET, DockerCleanup, make_plan, measured, why_not

NOW = 1_800_000_000.0
DAY = 86400.0
POLICY = CleanupPolicy()


def stopped(name: str, days_ago: float, **changes: object) -> Container:
    fields: dict[str, object] = {"image_id": "sha256:base", "finished": NOW - days_ago * DAY, "bytes": 10, **changes}
    return Container(id=f"id-{name}", name=name, state="exited", **fields)  # type: ignore[arg-type]


def record(key: str, days_ago: float, *, shared: bool = False, size: int = 100) -> CacheRecord:
    return CacheRecord(id=key, bytes=size, shared=shared, last_used=NOW - days_ago * DAY)


OLD_IMAGE = Image(id="sha256:old", created=NOW - 2 * DAY, origin="built", bytes=500, shared_bytes=200)
COMPOSE = {"com.docker.compose.project": "pa", "com.docker.compose.network": "default"}
LONELY = Network(id="net", name="lonely", labels=COMPOSE, created=NOW - 2 * DAY)


def test_a_plan_has_an_action_for_each_object_and_one_for_the_build_cache() -> None:
    usage = Usage(
        containers=(stopped("old", 2), stopped("young", 0.5)),
        images=(OLD_IMAGE,),
        networks=(LONELY,),
        build_cache=(record("aaa", 2), record("bbb", 3), record("young", 0.5)),
    )

    plan = make_plan(usage, POLICY, NOW)

    assert [(action.kind, action.object, action.estimated_bytes) for action in plan.actions] == [
        ("remove-container", "old", 10),
        ("remove-network", "lonely", 0),
        ("remove-image", "old", 300),
        ("prune-build-cache", "2 build cache records", 200),
    ]
    assert plan.actions[-1].params == {"ids": ["aaa", "bbb"], "unused_since": NOW - DAY}
    assert plan.actions[-1].reason == "not used for 1d"


def test_records_that_an_image_shares_are_named_only_where_images_go() -> None:
    records = (record("own", 2), record("shared", 2, shared=True))

    alone = make_plan(Usage(build_cache=records), POLICY, NOW)
    with_image = make_plan(Usage(images=(OLD_IMAGE,), build_cache=records), POLICY, NOW)

    assert alone.actions[-1].params["ids"] == ["own"]
    assert with_image.actions[-1].params["ids"] == ["own", "shared"]
    assert alone.actions[-1].estimated_bytes == with_image.actions[-1].estimated_bytes == 100


def test_nothing_to_remove_is_a_plan_without_actions() -> None:
    assert make_plan(Usage(containers=(stopped("young", 0.5),)), POLICY, NOW).actions == []


@pytest.mark.parametrize(
    ("container", "why"),
    [
        (stopped("old", 2), None),
        (stopped("old", 1.5), "changed"),
        (stopped("old", 2, labels={"upkeeper.keep": ""}), "changed"),
        (Container(id="id-old", name="old", image_id="", state="running"), "changed"),
        (None, "already gone"),
    ],
)
def test_a_container_is_removed_only_as_it_was_planned(container: Container | None, why: str | None) -> None:
    usage = None if container is None else Usage(containers=(container,))

    answer = why_not(usage, POLICY, "containers", "id-old", NOW - 2 * DAY, NOW)

    assert (answer is None) if why is None else str(answer).startswith(why)


@pytest.mark.parametrize("users", [(stopped("user", 2, image_id="sha256:old", networks=frozenset({"net"})),), ()])
def test_a_container_that_stayed_keeps_its_image_and_network(users: Sequence[Container]) -> None:
    image = replace(OLD_IMAGE, users=len(users))

    of_image = why_not(
        Usage(containers=tuple(users), images=(image,)), POLICY, "images", "sha256:old", NOW - 2 * DAY, NOW
    )
    of_network = why_not(
        Usage(containers=tuple(users), networks=(LONELY,)), POLICY, "networks", "net", NOW - 2 * DAY, NOW
    )

    assert (of_image is not None) == (of_network is not None) == bool(users)


def test_measured_compares_what_may_go_with_the_limit() -> None:
    usage = Usage(
        containers=(stopped("old", 2), stopped("young", 0.5)),
        build_cache=(record("aaa", 2), record("shared", 2, shared=True)),
        layers_bytes=1000,
    )

    below, above = (measured(usage, POLICY, limit, NOW) for limit in (110, 109))

    assert (below.breached, above.breached) == (False, True)
    assert above.values == {
        "cleanable_bytes": 110,
        "cleanable_max_bytes": 109,
        "cleanable_objects": 2,
        "total_bytes": 1000 + 20 + 100,
    }


@pytest.mark.parametrize(
    ("breached", "before", "after", "better"),
    [
        (True, (100, 3), (90, 0), True),
        (True, (100, 3), (100, 0), False),
        (True, (100, 3), (110, 0), False),
        (False, (100, 3), (100, 0), True),
        (False, (100, 3), (100, 3), False),
        (False, (100, 3), (90, 3), True),
    ],
)
def test_improved(breached: bool, before: tuple[int, int], after: tuple[int, int], better: bool) -> None:
    def measurement(breached: bool, figures: tuple[int, int]) -> Measurement:
        return Measurement(
            breached=breached, values=dict(zip(("total_bytes", "cleanable_objects"), figures, strict=True))
        )

    task = DockerCleanup(DockerEngine("unix:///nowhere"), Docker())

    assert task.improved(measurement(breached, before), measurement(False, after)) is better


async def test_an_action_of_another_kind_is_refused() -> None:
    task = DockerCleanup(DockerEngine("unix:///nowhere"), Docker())

    with pytest.raises(TaskError, match="does not know how to remove-volume"):
        await task.apply(TARGET, Action(kind="remove-volume", object="precious", reason="none"))


@pytest.mark.parametrize(
    ("history", "layers", "deleted", "freed"),
    [
        ([30, 20, 10], 3, 3, 60),
        ([30, 20, 10], 3, 2, 50),
        ([30, 20, 10], 3, 0, 0),
        ([0, 30, 0, 20, 10], 3, 2, 50),  # two steps without a layer
        ([0, 30, 20], 3, 3, 50),  # an empty layer
        ([0, 30, 20], 3, 2, 30),  # it may be among the two deleted or not: the smaller figure
        ([0, 30, 20], 3, 1, 0),
        ([], 0, 0, 0),
    ],
)
def test_freed_by_layers_is_never_too_high(history: list[int], layers: int, deleted: int, freed: int) -> None:
    assert freed_by_layers(history, layers, deleted) == freed


def test_chain_ids_are_those_of_the_image_specification() -> None:
    """The digests of two files, chained as ``sha256(first + " " + second)``; computed with sha256sum."""
    first = "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    second = "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

    assert chain_ids([first, second]) == [
        first,
        "sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676",
    ]
    assert chain_ids([]) == []
