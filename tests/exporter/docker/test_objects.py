"""The Docker engine's answers read into values."""

from dataclasses import replace

import pytest

from exporter.docker.objects import (
    CacheRecord,
    Container,
    Image,
    Network,
    Total,
    Usage,
    Volume,
    parse_usage,
    timestamp,
)

CONTAINER = {
    "Id": "c1",
    "Names": ["/other/alias", "/web"],
    "Image": "app:1",
    "ImageID": "sha256:i1",
    "Created": 1700000000,
    "SizeRw": 123,
    "Labels": {"a": "b"},
    "State": "exited",
    "HostConfig": {"NetworkMode": "front"},
    "NetworkSettings": {"Networks": {"front": {"NetworkID": "n1"}, "back": {"NetworkID": ""}}},
}
IMAGE = {
    "Id": "sha256:i1",
    "RepoTags": ["<none>:<none>"],
    "RepoDigests": ["app@sha256:d1"],
    "Created": 1700000000,
    "Size": 1000,
    "SharedSize": 300,
    "Labels": None,
    "Containers": 1,
}
VOLUME = {"Name": "data", "UsageData": {"Size": 77, "RefCount": 1}}
RECORD = {
    "ID": "r1",
    "Description": "RUN make",
    "InUse": False,
    "Shared": True,
    "Size": 55,
    "CreatedAt": "2023-11-14T22:13:20.123456789Z",
    "LastUsedAt": "2023-11-14T22:13:21Z",
}
NETWORK = {"Id": "n1", "Name": "front", "Scope": "local", "Created": "2023-11-14T22:13:20Z", "Containers": {}}
INSPECTED = {
    "c1": {
        "State": {"FinishedAt": "2023-11-14T22:13:20.5Z"},
        "HostConfig": {"NetworkMode": "front", "PidMode": "container:c2", "VolumesFrom": ["c3:ro"]},
        "Mounts": [
            {"Type": "volume", "Name": "data"},
            {"Type": "volume", "Name": "0123456789abcdef" * 4},
            {"Type": "bind", "Source": "/etc"},
        ],
    }
}
TAGGED = {"sha256:i1": {"Metadata": {"LastTagTime": "2023-11-14T23:13:20+01:00"}}}

EXPECTED = Usage(
    containers=(
        Container(
            id="c1",
            name="web",
            image_id="sha256:i1",
            state="exited",
            images=frozenset({"app:1"}),
            labels={"a": "b"},
            created=1700000000,
            finished=1700000000.5,
            bytes=123,
            networks=frozenset({"front", "back", "n1"}),
            uses=frozenset({"c2", "c3"}),
            anonymous_volumes=1,
        ),
    ),
    images=(
        Image(
            id="sha256:i1",
            digests=("app@sha256:d1",),
            created=1700000000,
            pulled=1700000000,
            origin="pulled",
            bytes=1000,
            shared_bytes=300,
            users=1,
        ),
    ),
    networks=(Network(id="n1", name="front", created=1700000000),),
    volumes=(Volume("data", 77, used=True),),
    build_cache=(
        CacheRecord("r1", "RUN make", 55, shared=True, created=1700000000.123456, last_used=1700000001, parents=("p",)),
    ),
    layers_bytes=5000,
)


@pytest.mark.parametrize("parents", [{"Parent": "p"}, {"Parents": ["p"]}, {" Parents": ["p"]}])
def test_the_form_up_to_api_1_52(parents: dict[str, object]) -> None:
    usage = {
        "LayersSize": 5000,
        "Images": [IMAGE],
        "Containers": [CONTAINER],
        "Volumes": [VOLUME],
        "BuildCache": [RECORD | parents],
    }
    assert parse_usage(usage, [NETWORK], INSPECTED, TAGGED) == EXPECTED


def test_the_form_from_api_1_52() -> None:
    """The engine leaves out figures that are 0."""
    usage = {
        "ImageUsage": {"ActiveCount": 1, "TotalCount": 1, "TotalSize": 5000, "Items": [IMAGE]},
        "ContainerUsage": {"TotalCount": 1, "TotalSize": 123, "Reclaimable": 123, "Items": [CONTAINER]},
        "VolumeUsage": {"ActiveCount": 1, "TotalCount": 1, "TotalSize": 77, "Items": [VOLUME]},
        "BuildCacheUsage": {"TotalCount": 1, "TotalSize": 55, "Items": [RECORD | {"Parents": ["p"]}]},
    }
    assert parse_usage(usage, [NETWORK], INSPECTED, TAGGED) == replace(
        EXPECTED,
        totals={
            "containers": Total(1, 123, 123),
            "images": Total(1, 5000, 0),
            "volumes": Total(1, 77, 0),
            "build_cache": Total(1, 55, 0),
        },
    )


def test_a_volume_without_a_name_is_an_anonymous_one() -> None:
    """API 1.56 tells no name of a volume that was asked for as a bare path among the binds."""
    inspected = {"c1": {"Mounts": [{"Type": "volume", "Source": "/var/lib/docker/volumes/0f/_data"}]}}
    assert parse_usage({"Containers": [CONTAINER]}, [], inspected, {}).containers[0].anonymous_volumes == 1


def test_an_image_that_is_mounted_is_one_of_the_container() -> None:
    mount = {"Type": "image", "Name": "sha256:944e", "Source": "/var/lib/docker/rootfs/overlayfs/1e00"}
    found = parse_usage({"Containers": [CONTAINER | {"Mounts": [mount]}]}, [], {}, {}).containers[0]
    assert found.images == {"app:1", "sha256:944e"}


def test_mounts_of_the_listing_count_where_nothing_was_inspected() -> None:
    listed = CONTAINER | {"Mounts": [{"Type": "volume", "Name": "f" * 64}]}
    assert parse_usage({"Containers": [listed]}, [], {}, {}).containers[0].anonymous_volumes == 1


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"LayersSize": -1, "Images": None, "Containers": None, "Volumes": None, "BuildCache": None},
        {"ImageUsage": {}, "ContainerUsage": {"Items": None}, "BuildCacheUsage": None},
    ],
)
def test_everything_may_be_null_or_absent(usage: dict[str, object]) -> None:
    assert replace(parse_usage(usage, [], {}, {}), totals={}) == Usage()


def test_objects_with_the_fewest_fields() -> None:
    usage = {
        "Images": [{"Id": "i"}],
        "Containers": [{"Id": "c" * 64}],
        "Volumes": [{"Name": "v"}],
        "BuildCache": [{"ID": "r"}],
    }
    network = {"Id": "n", "Name": "net"}
    assert parse_usage(usage, [network], {}, {}) == Usage(
        containers=(Container("c" * 64, "c" * 12, "", ""),),
        images=(Image("i"),),
        networks=(Network("n", "net", builtin=True),),
        volumes=(Volume("v"),),
        build_cache=(CacheRecord("r"),),
    )


def test_unknown_sizes_and_counts_are_minus_one() -> None:
    usage = {
        "Images": [IMAGE | {"SharedSize": -1, "Containers": -1}],
        "Volumes": [{"Name": "v", "UsageData": {"Size": -1, "RefCount": -1}}],
    }
    parsed = parse_usage(usage, [], {}, {})
    assert (parsed.images[0].shared_bytes, parsed.images[0].users) == (0, 0)
    assert parsed.volumes == (Volume("v", None, used=True),)


def test_an_image_is_used_by_the_containers_that_name_it_even_if_the_engine_does_not_count() -> None:
    usage = {"Images": [IMAGE | {"Containers": -1}], "Containers": [CONTAINER, CONTAINER | {"Id": "c2"}]}
    assert parse_usage(usage, [], {}, {}).images[0].users == 2


@pytest.mark.parametrize(
    "facts",
    [
        {"Name": "bridge"},
        {"Name": "host"},
        {"Name": "none"},
        {"Scope": "swarm"},
        {"Ingress": True},
        {"ConfigOnly": True},
    ],
)
def test_networks_that_are_not_the_users(facts: dict[str, object]) -> None:
    assert parse_usage({}, [NETWORK | facts], {}, {}).networks[0].builtin


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1700000000),
        ("2023-11-14T22:13:20.123456789Z", 1700000000.123456),
        ("2023-11-14T23:13:20.5+01:00", 1700000000.5),
        (1700000000, 1700000000),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("2023-11-14T22:13:20", None),
        (0, None),
        (-62135596800, None),
        (True, None),
        (None, None),
        ("", None),
        ("yesterday", None),
        ([], None),
    ],
)
def test_timestamps(written: object, seconds: float | None) -> None:
    assert timestamp(written) == seconds
