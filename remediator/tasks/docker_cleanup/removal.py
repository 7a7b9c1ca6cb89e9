"""Removing one Docker object: look again, remove without force, and say how much that freed according to the engine.

All functions here block; they run in DockerEngine's threads.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from exporter.docker.engine import checked
from exporter.docker.image_arrival import untagged_since
from exporter.docker.objects import Usage, parse_usage
from exporter.docker.selection import Kind

if TYPE_CHECKING:
    from docker import APIClient


def look(client: "APIClient", kind: Kind, key: str) -> Usage | None:
    """What decides about one container, network or image now, without the engine's expensive disk usage.

    Contains only that object of its kind (beside an image with a tag, all others), but every container, and no sizes.
    None if the object is gone.
    """
    from docker.errors import NotFound

    containers: list[Any] = client.containers(all=True)
    try:
        if kind == "containers":
            inspected = {key: client.inspect_container(key), **_inspect_others(client, containers, key)}
            return parse_usage({"Containers": containers}, networks=[], containers=inspected, images={})
        if kind == "networks":
            network = client.inspect_network(key)
            return parse_usage({"Containers": containers}, networks=[network], containers={}, images={})
        image = client.inspect_image(key)
        images = client.images()  # without those that others build upon
        # Of one with a tag it also counts which others its repository has.
        shown = images if image.get("RepoTags") else [entry for entry in images if entry["Id"] == key]
        return parse_usage(
            {"Containers": containers, "Images": shown},
            networks=[],
            containers={},
            images={key: image},
            since=untagged_since(client, images),
        )
    except NotFound:
        return None


def _inspect_others(client: "APIClient", containers: Sequence[Any], key: str) -> dict[str, Any]:
    """The inspections of all containers but one, without those that vanish in the meantime."""
    from docker.errors import NotFound

    inspected: dict[str, Any] = {}
    for entry in containers:
        if entry["Id"] != key:
            with suppress(NotFound):
                inspected[entry["Id"]] = client.inspect_container(entry["Id"])
    return inspected


def remove_unless_used(client: "APIClient", kind: Kind, key: str) -> int | str:
    """Removes a container, network or image without force, and never a volume.

    Returns the bytes freed, or why the engine would not remove it: something took or began to use it a moment ago.
    """
    from docker.errors import APIError, NotFound

    try:
        if kind == "containers":
            return _remove_container(client, key)
        if kind == "images":
            return _remove_image(client, key)
        client.remove_network(key)
        return 0
    except NotFound:
        return "already gone"
    except APIError as error:
        if error.status_code in (403, 409):
            return f"in use: {error.explanation}"
        raise


def _remove_container(client: "APIClient", key: str) -> int:
    """The size of its writable layer, as measured by the engine right before the removal."""
    listed: list[Any] = client.containers(all=True, size=True, filters={"id": key})
    client.remove_container(key, v=False, force=False)
    return sum(entry.get("SizeRw") or 0 for entry in listed if entry["Id"] == key)


def _remove_image(client: "APIClient", key: str) -> int:
    if _on_containerd(client):
        before = _held_bytes(client)
        _remove_by_names(client, key)
        return max(0, before - _held_bytes(client))
    layers = (client.inspect_image(key).get("RootFS") or {}).get("Layers") or []
    history = [entry.get("Size") or 0 for entry in client.history(key)]
    deleted = {entry.get("Deleted") for entry in _remove_by_names(client, key)}
    return freed_by_layers(history, len(layers), sum(chain_id in deleted for chain_id in chain_ids(layers)))


def _remove_by_names(client: "APIClient", key: str) -> list[Mapping[str, str]]:
    """Removes an image with all of its tags; what the engine says it did. Tags come back if it refuses half-way."""
    from docker.errors import APIError

    tags: list[str] = [tag for tag in client.inspect_image(key).get("RepoTags") or () if "@" not in tag]
    if len(tags) < 2:
        removed: list[Mapping[str, str]] = client.remove_image(tags[0] if tags else key, force=False)
        return removed
    done: list[Mapping[str, str]] = []
    taken: list[str] = []
    try:
        for tag in tags:
            done += client.remove_image(tag, force=False)
            taken.append(tag)
    except APIError:
        for tag in taken:
            repository, _, name = tag.rpartition(":")
            client.tag(key, repository, name)
        raise
    return done


def _on_containerd(client: "APIClient") -> bool:
    """Whether containerd keeps the images: then the engine does not name the layers that it deletes.

    https://docs.docker.com/engine/storage/containerd/
    """
    return any("io.containerd.snapshotter.v1" in entry for entry in client.info().get("DriverStatus") or ())


def _held_bytes(client: "APIClient") -> int:
    """Of all image layers and the build cache, in which a layer may live on. Takes the engine no walk over the disk."""
    response = client.get(
        f"{client.base_url}/v{client.api_version}/system/df",
        params={"verbose": "1", "type": ["image", "build-cache"]},
        timeout=client.timeout,
    )
    usage = parse_usage(checked(response).json(), networks=[], containers={}, images={})
    return usage.total_bytes


def chain_ids(layers: Sequence[str]) -> list[str]:
    """The names under which an engine reports layers, from their digests, bottom first.

    https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
    """
    chain: list[str] = []
    for layer in layers:
        chain.append(f"sha256:{hashlib.sha256(f'{chain[-1]} {layer}'.encode()).hexdigest()}" if chain else layer)
    return chain


def freed_by_layers(history: Sequence[int], layers: int, deleted: int) -> int:
    """The bytes in the topmost ``deleted`` of an image's layers: those that no other image or build cache holds.

    history: size of each build step, the last one first. Steps without a layer have size 0, and so have empty layers;
    where both occur, the topmost ones are taken for layers, so that the result is never too high.
    """
    sizes = [size for size in history if size > 0]
    empty_layers = max(0, layers - len(sizes))
    return sum(sizes[: max(0, deleted - empty_layers)])


def prune_build_cache(client: "APIClient", keys: Sequence[str], unused_for: float) -> tuple[int, int]:
    """Removes those of the build cache records that are unused for this many seconds and that no image shares.

    Returns the number of records removed and the bytes that freed. The engine takes the records as one regular
    expression, which must be quoted, and takes no point in time before API 1.42, only a duration.
    """
    filters: Any = {"id": f'"^({"|".join(keys)})$"', "until": f"{max(0.0, unused_for):.3f}s"}
    answer = client.prune_builds(filters=filters)
    return len(answer.get("CachesDeleted") or ()), answer.get("SpaceReclaimed") or 0
