"""What docker-cleanup may remove."""

from collections.abc import Callable

import pytest

from exporter.docker.image_uses import ImageUses
from exporter.docker.objects import CacheRecord, Container, Image, Network, Usage, Volume
from exporter.docker.selection import select
from exporter.inventory.docker import CleanupPolicy

NOW = 1_000_000.0
DAY = 86400.0
OLD = NOW - 2 * DAY
NEW = NOW - DAY / 2
KEEP = {"upkeeper.keep": ""}
COMPOSE = {"com.docker.compose.project": "pa", "com.docker.compose.network": "default"}
SERVICE = {"com.docker.compose.project": "pa", "com.docker.compose.service": "db", "com.docker.compose.oneoff": "False"}
DIGEST = "0123456789abcdef" * 4
POLICY = CleanupPolicy()


def container(**facts: object) -> Container:
    return Container(**{"id": "c", "name": "web", "image_id": "i", "state": "exited", "finished": OLD, **facts})  # type: ignore[arg-type]


def image(**facts: object) -> Image:
    return Image(**{"id": "sha256:0123456789abcdef", "created": OLD, "bytes": 100, "origin": "built", **facts})  # type: ignore[arg-type]


def network(**facts: object) -> Network:
    return Network(**{"id": "n", "name": "net", "created": OLD, "labels": COMPOSE, **facts})  # type: ignore[arg-type]


def record(**facts: object) -> CacheRecord:
    return CacheRecord(**{"id": "r", "bytes": 100, "created": OLD, "last_used": OLD, **facts})  # type: ignore[arg-type]


def selected(usage: Usage, policy: CleanupPolicy = POLICY) -> list[tuple[str, str]]:
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
        ({"anonymous_volumes": 1}, False),
        ({"state": "created", "created": OLD, "anonymous_volumes": 1}, False),
        ({"bytes": 10**9}, True),
        ({"labels": SERVICE, "bytes": 8192}, True),
        ({"labels": SERVICE, "bytes": 8193}, False),
        ({"labels": SERVICE | {"com.docker.compose.oneoff": "True"}, "bytes": 10**9}, True),
        ({"uses": frozenset({"web", "c"})}, True),
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
        ({"origin": ""}, False),
        ({"origin": "pulled"}, True),
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
        ({"labels": COMPOSE | KEEP}, False),
        ({"labels": {}}, False),
        ({"labels": {"com.docker.compose.project": "pa"}}, False),
        ({"labels": {"com.docker.compose.network": "default"}}, False),
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


@pytest.mark.parametrize("reference", ["c", "web", "c" * 64])
@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_container_that_another_one_names_stays(reference: str, state: str) -> None:
    named = container(id=reference if len(reference) == 64 else "c")
    user = container(id="d", name="user", state=state, finished=NEW, uses=frozenset({reference}))
    assert selected(Usage(containers=(named, user))) == []


def test_a_short_reference_means_an_id_but_no_part_of_a_name() -> None:
    named = container(id=DIGEST, name="web")
    for reference, stays in ((DIGEST[:12], True), (DIGEST[:11], False), ("we", False), ("webs", False)):
        user = container(id="d", name="user", state="running", uses=frozenset({reference}))
        assert (selected(Usage(containers=(named, user))) == []) is stays, reference


def test_containers_that_name_each_other_go_before_those_that_they_name() -> None:
    chain = tuple(container(id=key, name=key, uses=frozenset({other})) for key, other in ("ab", "bc", "cx"))
    assert selected(Usage(containers=chain[::-1])) == [("containers", key) for key in "abc"]
    circle = tuple(container(id=key, name=key, uses=frozenset({other})) for key, other in ("ab", "ba"))
    assert set(selected(Usage(containers=circle))) == {("containers", "a"), ("containers", "b")}


def test_what_a_container_that_stays_names_stays_through_others() -> None:
    young = container(id="a", name="a", finished=NEW, uses=frozenset({"b"}))
    named, by_that = container(id="b", name="b", uses=frozenset({"c"})), container(id="c", name="c")
    assert selected(Usage(containers=(by_that, named, young))) == []


def test_of_one_object_everything_else_remains() -> None:
    """Right before a removal, what should have gone first and did not is still a user."""
    user, named = container(id="a", name="a", uses=frozenset({"b"})), container(id="b", name="b")
    usage = Usage(containers=(user, named))
    assert [removal.id for removal in select(usage, POLICY, NOW, only="a")] == ["a"]
    assert select(usage, POLICY, NOW, only="b") == []
    assert [removal.id for removal in select(Usage(containers=(named,)), POLICY, NOW, only="b")] == ["b"]


@pytest.mark.parametrize("digests", [(f"app@sha256:{DIGEST}",), (f"other@sha256:{'f' * 64}", f"app@sha256:{DIGEST}")])
def test_an_image_whose_digest_something_names_stays(digests: tuple[str, ...]) -> None:
    pinned = image(digests=digests, origin="pulled")
    assert selected(Usage(images=(pinned,))) != []
    assert selected(Usage(images=(pinned,), named_digests=frozenset({DIGEST}))) == []
    running = container(state="running", images=frozenset({"other:1", f"app@sha256:{DIGEST}"}))
    assert selected(Usage(images=(pinned,), containers=(running,))) == []
    leaving = container(images=frozenset({f"app@sha256:{DIGEST}"}))
    assert ("images", pinned.id) in selected(Usage(images=(pinned,), containers=(leaving,)))


def test_on_the_containerd_store_the_id_is_the_digest() -> None:
    usage = Usage(images=(image(id=f"sha256:{DIGEST}"),), named_digests=frozenset({DIGEST}))
    assert selected(usage) == []


def test_an_image_that_an_unread_project_may_name_stays() -> None:
    pulled, built = image(digests=(f"app@sha256:{DIGEST}",), origin="pulled"), image(id="sha256:b")
    assert selected(Usage(images=(pulled, built), unread_projects=("/srv/compose.yaml",))) == [("images", built.id)]


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
    anything_goes = CleanupPolicy(containers_min_age=0, images_min_age=0, networks_min_age=0, build_cache_min_age=0)
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
    assert selected(make(), CleanupPolicy.model_validate({limit: 0})) != []
    others = {name: 0 for name in CleanupPolicy.model_fields if name.endswith("_min_age") and name != limit}
    assert selected(make(), CleanupPolicy.model_validate(others)) == []


def test_the_label_that_keeps_can_be_another_one() -> None:
    policy = CleanupPolicy(keep_label="mine")
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
    assert found["images"].reason == "without a tag, built 2d ago"
    assert found["containers"].reason == "stopped 2d2h ago"
    assert (found["images"].name, found["images"].bytes) == ("app@sha256:1", 70)
    assert found["build_cache"].name == "RUN make"
    assert found["build_cache"].reason == "last used 1d ago"


LONG = CleanupPolicy(tagged_images_min_unused="1d", keep_last=0)  # type: ignore[arg-type]
USES = ImageUses(since=OLD - DAY)


@pytest.mark.parametrize(
    ("facts", "usage", "goes"),
    [
        ({}, {}, True),
        ({"origin": ""}, {}, False),
        ({"users": 1}, {}, False),
        ({"labels": KEEP}, {}, False),
        ({"pulled": NEW}, {}, False),
        ({"created": None}, {}, False),
        ({"tags": ("app:1", "upkeeper-former/app:latest")}, {}, False),
        ({}, {"named_images": frozenset({"app:1"})}, False),
        ({}, {"named_images": frozenset({"app:2"})}, True),
        ({}, {"unread_projects": ("/srv/compose.yaml",)}, False),
        ({"digests": (f"app@sha256:{DIGEST}",)}, {"named_digests": frozenset({DIGEST})}, False),
        ({}, {"containers": (container(state="running", image_id="other", images=frozenset({"app:1"})),)}, False),
        ({}, {"uses": USES}, True),
        ({}, {"uses": ImageUses(since=NEW)}, False),
        ({}, {"uses": ImageUses(since=OLD, used={"sha256:0123456789abcdef": NEW})}, False),
        ({}, {"uses": ImageUses(since=OLD - DAY, used={"sha256:0123456789abcdef": OLD})}, True),
        ({}, {"uses": ImageUses(since=OLD - DAY, used={"another": NEW})}, True),
    ],
)
def test_images_with_a_tag_by_last_use(facts: dict[str, object], usage: dict[str, object], goes: bool) -> None:
    made = image(tags=("app:1",), **facts) if "tags" not in facts else image(**facts)
    given = Usage(images=(made,), **usage)  # type: ignore[arg-type]
    assert selected(given) == [], "as shipped they stay"
    assert (("images", made.id) in selected(given, LONG)) == goes


def test_what_is_said_of_the_last_use() -> None:
    made = image(tags=("app:1",), origin="pulled")

    def reason(uses: ImageUses | None) -> str:
        (removal,) = select(Usage(images=(made,), uses=uses), LONG, NOW)
        return removal.reason

    assert reason(None) == "pulled 2d ago; when it was last used is not known, and no container has it now"
    assert reason(ImageUses(since=OLD, used={made.id: OLD})) == "last used by a container 2d ago"
    assert reason(USES).startswith("not used for 2d, as far back as is known")


@pytest.mark.parametrize(("count", "kept"), [(0, ""), (1, "c"), (2, "c"), (3, "ca"), (4, "cab")])
def test_the_newest_of_a_repository_stay(count: int, kept: str) -> None:
    """Those that are in use count as well; c is the newest of host:5000/app, and x of another repository."""
    repository = "host:5000/app"
    images = [
        image(id="used", tags=(f"{repository}:5",), users=1, created=NOW - 2.5 * DAY),
        image(id="c", tags=(f"{repository}:4",), created=NOW - 2.1 * DAY),
        image(id="a", tags=(f"{repository}:3",), created=NOW - 2.6 * DAY),
        image(id="b", tags=(f"{repository}:2",), created=NOW - 5 * DAY),
        image(id="d", tags=(f"{repository}:1",), created=NOW - 9 * DAY),
    ]
    policy = CleanupPolicy(tagged_images_min_unused="1d", keep_last=count)  # type: ignore[arg-type]
    assert {key for _, key in selected(Usage(images=tuple(images)), policy)} == set("abcd") - set(kept)


@pytest.mark.parametrize(
    ("limit", "going"), [(1000, ""), (300, ""), (299, "a"), (200, "a"), (150, "ab"), (0, "ab"), (None, "")]
)
def test_build_cache_beyond_its_size_goes_the_longest_unused_first(limit: int | None, going: str) -> None:
    """c is in use; shared records take up nothing of their own."""
    records = (
        record(id="b", last_used=NEW + 20),
        record(id="a", last_used=NEW + 10),
        record(id="c", last_used=NEW, in_use=True),
        record(id="s", last_used=NEW, shared=True),
    )
    policy = CleanupPolicy(build_cache_max_bytes=limit)  # type: ignore[arg-type]
    assert {key for _, key in selected(Usage(build_cache=records), policy)} == set(going)


def test_build_cache_that_something_builds_upon_stays_even_beyond_its_size() -> None:
    records = (record(id="base", last_used=NEW), record(id="top", last_used=NEW + 1, in_use=True, parents=("base",)))
    policy = CleanupPolicy(build_cache_max_bytes=0)  # type: ignore[arg-type]
    assert selected(Usage(build_cache=records), policy) == []
