"""What docker-cleanup may remove."""

from collections.abc import Callable

import pytest

from exporter.docker.objects import CacheRecord, Container, Image, Network, Usage, Volume
from exporter.docker.selection import select
from exporter.inventory.docker import DockerCleanup

NOW = 1_000_000.0
DAY = 86400.0
OLD = NOW - 2 * DAY
NEW = NOW - DAY / 2
KEEP = {"upkeeper.keep": ""}
POLICY = DockerCleanup()


def container(**facts: object) -> Container:
    return Container(**{"id": "c", "name": "web", "image_id": "i", "state": "exited", "finished": OLD, **facts})  # type: ignore[arg-type]


def image(**facts: object) -> Image:
    return Image(**{"id": "sha256:0123456789abcdef", "created": OLD, "bytes": 100, **facts})  # type: ignore[arg-type]


def network(**facts: object) -> Network:
    return Network(**{"id": "n", "name": "net", "created": OLD, **facts})  # type: ignore[arg-type]


def record(**facts: object) -> CacheRecord:
    return CacheRecord(**{"id": "r", "bytes": 100, "created": OLD, "last_used": OLD, **facts})  # type: ignore[arg-type]


def selected(usage: Usage, policy: DockerCleanup = POLICY) -> list[tuple[str, str]]:
    return [(removal.kind, removal.id) for removal in select(usage, policy, NOW)]


@pytest.mark.parametrize(
    ("facts", "goes"),
    [
        ({}, True),
        ({"state": "dead"}, True),
        ({"state": "running"}, False),
        ({"state": "paused"}, False),
        ({"state": "restarting"}, False),
        ({"state": "removing"}, False),
        ({"state": "something new"}, False),
        ({"state": ""}, False),
        ({"finished": NEW}, False),
        ({"finished": NEW, "created": OLD}, False),
        ({"finished": NOW - DAY}, True),
        ({"finished": None}, False),
        ({"finished": None, "created": OLD}, False),
        ({"finished": NOW + 10}, False),
        ({"state": "created", "finished": None, "created": OLD}, True),
        ({"state": "created", "finished": OLD, "created": NEW}, False),
        ({"state": "created", "finished": None, "created": None}, False),
        ({"labels": KEEP}, False),
        ({"labels": {"upkeeper.keep": "false"}}, False),
        ({"labels": {"upkeeper.keeper": "x"}}, True),
    ],
)
def test_containers(facts: dict[str, object], goes: bool) -> None:
    assert selected(Usage(containers=(container(**facts),))) == ([("containers", "c")] if goes else [])


@pytest.mark.parametrize(
    ("facts", "goes"),
    [
        ({}, True),
        ({"digests": ("app@sha256:1",)}, True),
        ({"tags": ("app:1",)}, False),
        ({"users": 1}, False),
        ({"created": NEW}, False),
        ({"created": OLD, "pulled": NEW}, False),
        ({"created": NEW, "pulled": OLD}, True),
        ({"created": None, "pulled": OLD}, True),
        ({"created": None}, False),
        ({"created": NOW + 10}, False),
        ({"labels": KEEP}, False),
    ],
)
def test_images(facts: dict[str, object], goes: bool) -> None:
    made = image(**facts)
    assert selected(Usage(images=(made,))) == ([("images", made.id)] if goes else [])


@pytest.mark.parametrize(
    ("facts", "goes"),
    [
        ({}, True),
        ({"builtin": True}, False),
        ({"attached": frozenset({"c"})}, False),
        ({"created": NEW}, False),
        ({"created": None}, False),
        ({"labels": KEEP}, False),
    ],
)
def test_networks(facts: dict[str, object], goes: bool) -> None:
    assert selected(Usage(networks=(network(**facts),))) == ([("networks", "n")] if goes else [])


@pytest.mark.parametrize(
    ("facts", "goes"),
    [
        ({}, True),
        ({"in_use": True}, False),
        ({"shared": True}, False),
        ({"last_used": NEW}, False),
        ({"last_used": None}, True),
        ({"last_used": None, "created": NEW}, False),
        ({"last_used": None, "created": None}, False),
    ],
)
def test_build_cache(facts: dict[str, object], goes: bool) -> None:
    assert selected(Usage(build_cache=(record(**facts),))) == ([("build_cache", "r")] if goes else [])


@pytest.mark.parametrize("reference", ["n", "net"])
@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_network_of_any_remaining_container_stays(reference: str, state: str) -> None:
    user = container(state=state, finished=NEW, networks=frozenset({reference}))
    assert selected(Usage(containers=(user,), networks=(network(),))) == []


def test_what_only_leaving_containers_use_leaves_after_them() -> None:
    leaving = container(networks=frozenset({"n"}))
    used = image(id="i", users=1)
    network_of_it = network(attached=frozenset({"c"}))
    usage = Usage(containers=(leaving,), images=(used,), networks=(network_of_it,))
    assert selected(usage) == [("containers", "c"), ("networks", "n"), ("images", "i")]


def test_an_image_that_another_container_uses_as_well_stays() -> None:
    usage = Usage(containers=(container(), container(id="d", state="running")), images=(image(id="i", users=2),))
    assert selected(usage) == [("containers", "c")]


def test_a_kept_container_keeps_what_it_uses() -> None:
    kept = container(labels=KEEP, networks=frozenset({"net"}))
    assert selected(Usage(containers=(kept,), images=(image(id="i", users=1),), networks=(network(),))) == []


def test_records_that_others_build_upon_stay_with_them() -> None:
    records = (
        record(id="base"),
        record(id="middle", parents=("base",)),
        record(id="top", parents=("middle",), in_use=True),
        record(id="alone", parents=("gone",)),
    )
    assert selected(Usage(build_cache=records)) == [("build_cache", "alone")]


def test_circular_parents_do_no_harm() -> None:
    records = (
        record(id="a", parents=("b",)),
        record(id="b", parents=("a",)),
        record(id="c", parents=("a",), in_use=True),
    )
    assert selected(Usage(build_cache=records)) == []


def test_volumes_never() -> None:
    anything_goes = DockerCleanup(containers_min_age=0, images_min_age=0, networks_min_age=0, build_cache_min_age=0)
    assert selected(Usage(volumes=(Volume("data", 10**12),)), anything_goes) == []


@pytest.mark.parametrize(
    ("limit", "make"),
    [
        ("containers_min_age", lambda: Usage(containers=(container(finished=NOW),))),
        ("images_min_age", lambda: Usage(images=(image(created=NOW),))),
        ("networks_min_age", lambda: Usage(networks=(network(created=NOW),))),
        ("build_cache_min_age", lambda: Usage(build_cache=(record(last_used=NOW),))),
    ],
)
def test_each_kind_has_its_own_limit_and_zero_means_any_age(limit: str, make: Callable[[], Usage]) -> None:
    assert selected(make(), DockerCleanup.model_validate({limit: 0})) != []
    others = {name: 0 for name in DockerCleanup.model_fields if name.endswith("_min_age") and name != limit}
    assert selected(make(), DockerCleanup.model_validate(others)) == []


def test_the_label_that_keeps_can_be_another_one() -> None:
    policy = DockerCleanup(keep_label="mine")
    assert selected(Usage(images=(image(labels={"mine": ""}),)), policy) == []
    assert selected(Usage(images=(image(labels=KEEP),)), policy) != []


def test_a_removal_says_what_it_frees_and_why() -> None:
    usage = Usage(
        containers=(container(finished=NOW - 2 * DAY - 7300, bytes=5),),
        images=(image(shared_bytes=30, digests=("app@sha256:1",)),),
        build_cache=(record(description="RUN make", last_used=NOW - DAY - 100),),
    )
    found = {removal.kind: removal for removal in select(usage, POLICY, NOW)}
    assert (found["containers"].name, found["containers"].bytes) == ("web", 5)
    assert found["containers"].since == NOW - 2 * DAY - 7300
    assert found["containers"].reason == "stopped 2d2h ago"
    assert (found["images"].name, found["images"].bytes) == ("app@sha256:1", 70)
    assert found["build_cache"].name == "RUN make"
    assert found["build_cache"].reason == "last used 1d ago"
