"""What lies on the Docker engine's disk, as plain values: the engine's JSON read into dataclasses.

Field meanings: ``GET /system/df``, ``/networks`` and the inspect calls of https://docs.docker.com/reference/api/engine/.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.docker.engine import DockerEngine, DockerUnavailable, checked, is_gone
from exporter.docker.image_arrival import untagged_since
from exporter.docker.image_origins import Origin, origin_of
from exporter.docker.image_uses import ImageUses
from exporter.docker.references import used_containers

if TYPE_CHECKING:
    from docker import APIClient

STOPPED = frozenset({"created", "exited", "dead"})
"""States of a container that has no process and will not get one by itself soon."""

_BUSY = "already running"
_BUSY_PAUSE_SECONDS = 0.5
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_BUILTIN_NETWORKS = frozenset({"bridge", "host", "none", "nat", "docker_gwbridge", "ingress"})


@dataclass(frozen=True, slots=True)
class Container:
    """A container. Timestamps are Unix seconds, None where the engine does not know."""

    id: str
    name: str
    image_id: str
    state: str
    images: frozenset[str] = frozenset()
    """Its image and those that are mounted into it, as they were asked for: names with a tag or a digest, or ids."""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float | None = None
    finished: float | None = None
    bytes: int = 0
    """Its writable layer; 0 where the engine left it out."""
    networks: frozenset[str] = frozenset()
    """Names and ids of its networks. A stopped container keeps them."""
    uses: frozenset[str] = frozenset()
    """Ids or names of containers that it names: whose network, processes or volumes it shares, or that it links to."""
    anonymous_volumes: int = 0
    """Volumes that nothing but this container tells of: a new one would get new ones."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is tagged or has no child image."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float | None = None
    pulled: float | None = None
    """When it came here or last had a tag, at the earliest; read only for images that were inspected."""
    origin: Origin = ""
    """Where it could be had again; empty where nothing tells, and for images that were not inspected."""
    bytes: int = 0
    """All of its layers."""
    shared_bytes: int = 0
    """Those of its layers that other images hold too."""
    users: int = 0
    """Containers, running or not, that are made from it."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network. ``builtin``: the engine's own, Swarm's, or a template of others."""

    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float | None = None
    builtin: bool = False
    attached: frozenset[str] = frozenset()
    """Ids of what is attached to it now, by the network's own word."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume. ``bytes`` is None where its driver cannot tell."""

    name: str
    bytes: int | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """A record of BuildKit's cache."""

    id: str
    description: str = ""
    bytes: int = 0
    in_use: bool = False
    shared: bool = False
    """An image holds the same layer, so that removing the record frees nothing."""
    created: float | None = None
    last_used: float | None = None
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Total:
    """Objects of one kind as the engine sums them up."""

    count: int = 0
    bytes: int = 0
    reclaimable: int = 0
    """Bytes that removing the unused ones would free."""


@dataclass(frozen=True, slots=True)
class Usage:
    """All of the engine's objects at one moment."""

    containers: tuple[Container, ...] = ()
    images: tuple[Image, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    build_cache: tuple[CacheRecord, ...] = ()
    layers_bytes: int = 0
    """All image layers together, each counted once."""
    totals: Mapping[str, Total] = field(default_factory=dict)
    """By kind (containers, images, volumes, build_cache), what the engine itself counts; empty before API 1.52."""
    named_digests: frozenset[str] = frozenset()
    """Digests that Compose files name, as 64 hexadecimal digits: see exporter.findings.pinned_digests."""
    named_images: frozenset[str] = frozenset()
    """Images that Compose files name, as ``REPOSITORY:TAG``."""
    uses: ImageUses | None = None
    """When images were last used; None where nobody writes that down."""
    unread_projects: tuple[str, ...] = ()
    """Compose projects of which not every file could be read: any image that has a digest may be theirs."""

    @property
    def total_bytes(self) -> int:
        """What removing containers, images and build cache could free at most. Volumes are not in it."""
        containers = sum(container.bytes for container in self.containers)
        return self.layers_bytes + containers + sum(record.bytes for record in self.build_cache if not record.shared)


def timestamp(value: object) -> float | None:
    """Unix seconds of a time as the engine writes it (RFC 3339 with nanoseconds, or Unix seconds).

    None for everything else, and for the zero times with which Go and reproducible builds say "unknown".
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        seconds = moment.timestamp()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        return None
    return seconds if seconds > 0 else None


async def read_usage(engine: DockerEngine, *, tagged: bool = False) -> Usage:
    """The engine's objects with their sizes. Expensive: the engine walks the disk. Raises DockerUnavailable.

    tagged: images with a tag that no container uses are inspected too.

    The engine does one such walk at a time; while another client's is under way, this waits for its turn.
    It never gives up waiting by itself: callers set the time limit.
    """
    while True:
        try:
            return await engine.call(partial(_read, tagged=tagged))
        except DockerUnavailable as error:
            if _BUSY not in str(error):
                raise
            await asyncio.sleep(_BUSY_PAUSE_SECONDS)


def _read(client: "APIClient", *, tagged: bool = False) -> Usage:
    def inspect(read: Any, key: str) -> Mapping[str, Any]:
        """Empty for an object that vanished since it was listed."""
        try:
            found: Mapping[str, Any] = read(key)
        except OSError as error:
            if not is_gone(error):
                raise
            return {}
        return found

    usage = _disk_usage(client)
    containers = _items(usage, "Containers", "ContainerUsage")
    images = _items(usage, "Images", "ImageUsage")
    # Any container may name a stopped one, and only an inspection tells.
    inspected = containers if any(entry.get("State") in STOPPED for entry in containers) else []
    used = {entry.get("ImageID") for entry in containers}
    asked = [entry["Id"] for entry in images if not _tags(entry) or (tagged and entry["Id"] not in used)]
    return parse_usage(
        usage,
        networks=[found for entry in client.networks() if (found := inspect(client.inspect_network, entry["Id"]))],
        containers={entry["Id"]: inspect(client.inspect_container, entry["Id"]) for entry in inspected},
        images={key: inspect(client.inspect_image, key) for key in asked},
        since=untagged_since(client, images),
    )


def _disk_usage(client: "APIClient") -> Mapping[str, Any]:
    """``GET /system/df`` with the single objects, which API 1.53 gives only when asked; ``client.df()`` cannot ask."""
    response = client.get(
        f"{client.base_url}/v{client.api_version}/system/df", params={"verbose": "1"}, timeout=client.timeout
    )
    usage: Mapping[str, Any] = checked(response).json()
    return usage


def parse_usage(
    usage: Mapping[str, Any],
    networks: list[Mapping[str, Any]],
    containers: Mapping[str, Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
    since: Mapping[str, float] | None = None,
) -> Usage:
    """The engine's answers as values.

    usage: of ``/system/df``, in the form of API 1.41 to 1.52 (``Images`` ...) or 1.52 and up (``ImageUsage`` ...).
    since: of images, as exporter.docker.image_arrival tells.
    networks: each inspected. containers, images: the inspected ones by id; empty where the object had vanished.
    """
    container_entries = _items(usage, "Containers", "ContainerUsage")
    users = Counter(entry.get("ImageID") for entry in container_entries)
    return Usage(
        containers=tuple(_container(entry, containers.get(entry["Id"], {})) for entry in container_entries),
        images=tuple(
            _image(entry, images.get(entry["Id"], {}), users[entry["Id"]], (since or {}).get(entry["Id"]))
            for entry in _items(usage, "Images", "ImageUsage")
        ),
        networks=tuple(_network(entry) for entry in networks),
        volumes=tuple(_volume(entry) for entry in _items(usage, "Volumes", "VolumeUsage")),
        build_cache=tuple(_record(entry) for entry in _items(usage, "BuildCache", "BuildCacheUsage")),
        layers_bytes=max(0, (usage.get("ImageUsage") or {}).get("TotalSize") or usage.get("LayersSize") or 0),
        totals=dict(_totals(usage)),
    )


def _totals(usage: Mapping[str, Any]) -> Iterator[tuple[str, Total]]:
    """The engine leaves out what is 0."""
    kinds = {
        "containers": "ContainerUsage",
        "images": "ImageUsage",
        "volumes": "VolumeUsage",
        "build_cache": "BuildCacheUsage",
    }
    for kind, key in kinds.items():
        told = usage.get(key)
        if told is not None:
            figures = (told.get(name) or 0 for name in ("TotalCount", "TotalSize", "Reclaimable"))
            yield kind, Total(*(max(0, figure) for figure in figures))


def _items(usage: Mapping[str, Any], old: str, new: str) -> list[Mapping[str, Any]]:
    """The objects of one kind; each of these may be null or absent."""
    return (usage.get(new) or {}).get("Items") or usage.get(old) or []


def _tags(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag for tag in entry.get("RepoTags") or () if tag != "<none>:<none>")


def _container(entry: Mapping[str, Any], inspected: Mapping[str, Any]) -> Container:
    attached = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    networks = {network.get("NetworkID") for network in attached.values() if network}
    mode = (entry.get("HostConfig") or {}).get("NetworkMode")
    return Container(
        id=entry["Id"],
        name=container_name(entry),
        image_id=entry.get("ImageID") or "",
        state=entry.get("State") or "",
        images=frozenset(_images(entry)),
        labels=entry.get("Labels") or {},
        created=timestamp(entry.get("Created")),
        finished=timestamp((inspected.get("State") or {}).get("FinishedAt")),
        bytes=max(0, entry.get("SizeRw") or 0),
        networks=frozenset(name for name in (*attached, *networks, mode) if name),
        uses=used_containers(inspected.get("HostConfig") or entry.get("HostConfig") or {}),
        anonymous_volumes=sum(_is_anonymous(mount) for mount in inspected.get("Mounts") or entry.get("Mounts") or ()),
    )


def _images(entry: Mapping[str, Any]) -> Iterator[str]:
    """From API 1.48 on an image can be a mount; the engine does not refuse to remove it."""
    names = [mount.get("Name") for mount in entry.get("Mounts") or () if mount.get("Type") == "image"]
    yield from (name for name in (entry.get("Image"), *names) if name)


def _is_anonymous(mount: Mapping[str, Any]) -> bool:
    """A volume whose name the engine made up. API 1.56 leaves out the name of one that was asked for as a bare path."""
    name = mount.get("Name") or ""
    return mount.get("Type") == "volume" and (not name or _ANONYMOUS.fullmatch(name) is not None)


def container_name(entry: Mapping[str, Any]) -> str:
    """The name of a listed container: of its names, the one that is not a link from another container."""
    names: list[str] = [name.removeprefix("/") for name in entry.get("Names") or ()]
    return next((name for name in names if "/" not in name), str(entry["Id"])[:12])


def _image(entry: Mapping[str, Any], inspected: Mapping[str, Any], users: int, since: float | None) -> Image:
    tagged = timestamp((inspected.get("Metadata") or {}).get("LastTagTime"))
    digests = tuple(digest for digest in entry.get("RepoDigests") or () if digest != "<none>@<none>")
    return Image(
        id=entry["Id"],
        tags=_tags(entry),
        digests=digests,
        labels=entry.get("Labels") or {},
        created=timestamp(entry.get("Created")),
        pulled=max((moment for moment in (tagged, since) if moment is not None), default=None),
        origin=origin_of(inspected, digests) if inspected else "",
        bytes=max(0, entry.get("Size") or 0),
        shared_bytes=max(0, entry.get("SharedSize") or 0),
        users=max(users, entry.get("Containers") or 0),
    )


def _network(entry: Mapping[str, Any]) -> Network:
    return Network(
        id=entry["Id"],
        name=entry["Name"],
        labels=entry.get("Labels") or {},
        created=timestamp(entry.get("Created")),
        builtin=entry["Name"] in _BUILTIN_NETWORKS
        or entry.get("Scope") != "local"
        or bool(entry.get("Ingress") or entry.get("ConfigOnly")),
        attached=frozenset(entry.get("Containers") or ()),
    )


def _volume(entry: Mapping[str, Any]) -> Volume:
    usage = entry.get("UsageData") or {}
    size = usage.get("Size", -1)
    return Volume(name=entry["Name"], bytes=size if size >= 0 else None, used=usage.get("RefCount", 0) != 0)


def _record(entry: Mapping[str, Any]) -> CacheRecord:
    # Some engines misspell the key as " Parents"; before API 1.42 there is only "Parent".
    parents = entry.get("Parents") or entry.get(" Parents") or [entry.get("Parent")]
    return CacheRecord(
        id=entry["ID"],
        description=entry.get("Description") or "",
        bytes=max(0, entry.get("Size") or 0),
        in_use=bool(entry.get("InUse")),
        shared=bool(entry.get("Shared")),
        created=timestamp(entry.get("CreatedAt")),
        last_used=timestamp(entry.get("LastUsedAt")),
        parents=tuple(parent for parent in parents if parent),
    )
