"""Removing one Docker object: look again, remove without force, and say how much that freed according to the engine.

All functions here block; they run in DockerEngine's threads.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from exporter.docker.engine import checked
from exporter.docker.image_arrival import untagged_since
from exporter.docker.objects import Container, Usage, parse_usage
from exporter.docker.references import used_containers
from exporter.docker.selection import Kind

if TYPE_CHECKING:
    from docker import APIClient

AS_ONE = 0.5
"""Seconds for which what else is on the engine is not listed anew."""


@dataclass
class Surroundings:
    """What else is on the engine, for looks that follow each other at once: where there are hundreds, listing takes
    the engine as long as a removal. What is removed is looked up by itself each time, and what came into use meanwhile
    the engine refuses to remove. ticks: seconds that pass.

    named: what a container was made with, by its id: which others it names never changes. written: the size of
    what containers wrote, as it was when each was looked at. containerd: whether it keeps the images. images_turn:
    where bytes are told by what is left on the whole, one image goes at a time.
    """

    ticks: Callable[[], float] = time.monotonic
    named: dict[str, Any] = field(default_factory=dict)
    containerd: bool | None = None
    gone: set[str] = field(default_factory=set)
    written: dict[str, int] = field(default_factory=dict)
    images_turn: threading.Lock = field(default_factory=threading.Lock)
    _parsed: tuple[list[Any], tuple[Container, ...]] = ([], ())
    _lists: dict[str, tuple[float, list[Any]]] = field(default_factory=dict)

    def forget(self) -> None:
        """As at the beginning of a plan."""
        self.named.clear()
        self.gone.clear()
        self.written.clear()
        self._lists.clear()
        self._parsed = [], ()

    def containers(self, client: "APIClient") -> list[Any]:
        """All of them, without sizes."""
        return self._list("containers", lambda: client.containers(all=True))

    def parsed(self, client: "APIClient") -> tuple[Container, ...]:
        """The same as values, without what only an inspection tells."""
        listed = self._listed("containers", lambda: client.containers(all=True))
        of, known = self._parsed
        if of is not listed:
            known = parse_usage({"Containers": listed}, networks=[], containers={}, images={}).containers
            self._parsed = listed, known
        return tuple(each for each in known if each.id not in self.gone)

    def images(self, client: "APIClient") -> list[Any]:
        """All of them, without those that others build upon."""
        return self._list("images", client.images)

    def _list(self, kind: str, ask: Callable[[], list[Any]]) -> list[Any]:
        return [entry for entry in self._listed(kind, ask) if entry["Id"] not in self.gone]

    def _listed(self, kind: str, ask: Callable[[], list[Any]]) -> list[Any]:
        at, found = self._lists.get(kind, (-AS_ONE, []))
        if self.ticks() - at >= AS_ONE:
            at, found = self.ticks(), ask()  # as old as the question
            self._lists[kind] = at, found
        return found


def look(client: "APIClient", kind: Kind, key: str, around: Surroundings | None = None) -> Usage | None:
    """What decides about one container, network or image now, without the engine's expensive disk usage.

    Contains only that object of its kind (beside an image with a tag, all others), but every container; of sizes only
    that of a container. None if the object is gone.
    """
    from docker.errors import NotFound

    around = around or Surroundings()
    try:
        if kind == "containers":
            return _look_at_container(client, key, around)
        if kind == "networks":
            network, containers = client.inspect_network(key), around.containers(client)
            return parse_usage({"Containers": containers}, networks=[network], containers={}, images={})
        image = client.inspect_image(key)
        images = around.images(client)
        own = [
            {**entry, "RepoTags": image.get("RepoTags"), "RepoDigests": image.get("RepoDigests")}
            for entry in images
            if entry["Id"] == key
        ]
        # Of one with a tag it also counts which others its repository has.
        others = [entry for entry in images if entry["Id"] != key]
        has_tag = bool(image.get("RepoTags"))
        usage = parse_usage(
            {"Containers": around.containers(client) if has_tag else [], "Images": [*own, *others] if has_tag else own},
            networks=[],
            containers={},
            images={key: image},
            since=untagged_since(client, [*own, *others]) if image.get("RepoDigests") else {},
        )
        if has_tag:
            return usage
        everything = around.parsed(client)
        users = sum(each.image_id == key for each in everything)
        return replace(usage, containers=everything, images=tuple(replace(each, users=users) for each in usage.images))
    except NotFound:
        return None


def _look_at_container(client: "APIClient", key: str, around: Surroundings) -> Usage:
    """Raises NotFound."""
    own: list[Any] = client.containers(all=True, size=True, filters={"id": key})
    inspected = {key: client.inspect_container(key)}
    around.written[key] = sum(entry.get("SizeRw") or 0 for entry in own if entry["Id"] == key)
    others = [entry for entry in around.containers(client) if entry["Id"] != key]
    naming = {
        each: its
        for each, its in _inspect_others(client, others, around.named).items()
        if used_containers(its["HostConfig"])
    }
    # Of the others only those that name some container can say anything about this one.
    entries = [*(entry for entry in own if entry["Id"] == key), *(entry for entry in others if entry["Id"] in naming)]
    return parse_usage({"Containers": entries}, networks=[], containers=inspected | naming, images={})


def _inspect_others(client: "APIClient", containers: Sequence[Any], known: dict[str, Any]) -> dict[str, Any]:
    """What these were made with, without those that vanish in the meantime; each asked for once."""
    from docker.errors import NotFound

    for entry in containers:
        if entry["Id"] not in known:
            with suppress(NotFound):
                known[entry["Id"]] = {"HostConfig": client.inspect_container(entry["Id"])["HostConfig"]}
    return {entry["Id"]: known[entry["Id"]] for entry in containers if entry["Id"] in known}


def remove_unless_used(client: "APIClient", kind: Kind, key: str, around: Surroundings | None = None) -> int | str:
    """Removes a container, network or image without force, and never a volume.

    Returns the bytes freed, or why the engine would not remove it: something took or began to use it a moment ago.
    """
    from docker.errors import APIError, NotFound

    around = around or Surroundings()
    try:
        if kind == "containers":
            freed = _remove_container(client, key, around.written.get(key))
        elif kind == "images":
            freed = _remove_image(client, key, around)
        else:
            freed = 0
            client.remove_network(key)
        around.gone.add(key)
        return freed
    except NotFound:
        return "already gone"
    except APIError as error:
        if error.status_code in (403, 409):
            return f"in use: {error.explanation}"
        raise


def _remove_container(client: "APIClient", key: str, written: int | None) -> int:
    """The size of its writable layer, as measured by the engine right before the removal."""
    if written is None:
        listed: list[Any] = client.containers(all=True, size=True, filters={"id": key})
        written = sum(entry.get("SizeRw") or 0 for entry in listed if entry["Id"] == key)
    client.remove_container(key, v=False, force=False)
    return written


def _remove_image(client: "APIClient", key: str, around: Surroundings) -> int:
    if around.containerd is None:
        around.containerd = _on_containerd(client)
    image = client.inspect_image(key)
    if around.containerd:
        with around.images_turn:
            before = _held_bytes(client)
            _remove_by_names(client, key, image)
            return max(0, before - _held_bytes(client))
    layers = (image.get("RootFS") or {}).get("Layers") or []
    history = [entry.get("Size") or 0 for entry in client.history(key)]
    deleted = {entry.get("Deleted") for entry in _remove_by_names(client, key, image)}
    return freed_by_layers(history, len(layers), sum(chain_id in deleted for chain_id in chain_ids(layers)))


def _remove_by_names(client: "APIClient", key: str, image: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Removes an image with all of its tags; what the engine says it did. Tags come back if it refuses half-way."""
    from docker.errors import APIError

    tags: list[str] = [tag for tag in image.get("RepoTags") or () if "@" not in tag]
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
