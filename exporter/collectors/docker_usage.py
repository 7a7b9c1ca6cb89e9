"""What Docker's objects take up, what could be freed, and which of them docker-cleanup may remove.

``select`` is the only place that decides what may go: the collector sums it up, the docker-cleanup task plans by it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import GaugeMetricFamily, Metric

from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.docker.objects import STOPPED, CacheRecord, Container, Image, Network, Usage, Volume, read_usage
from exporter.settings.collector import CollectorSettings
from exporter.settings.docker import Docker, DockerCleanup
from exporter.units import format_duration

__all__ = [
    "CacheRecord",
    "Container",
    "DockerUsageCollector",
    "Image",
    "Network",
    "Removal",
    "Usage",
    "Volume",
    "read_usage",
    "select",
]

Kind = Literal["containers", "networks", "images", "build_cache"]


@dataclass(frozen=True, slots=True)
class Removal:
    """An object that docker-cleanup may remove.

    Still removable later is what ``select`` returns again, with the same ``id`` and ``since``, from a new Usage.
    """

    kind: Kind
    id: str
    name: str
    """For people."""
    bytes: int
    """What its removal frees by itself, in bytes; layers that others share are not in it."""
    since: float
    """Unix seconds from which its age counts: stopped, pulled or built, made, last used."""
    reason: str


def select(usage: Usage, policy: DockerCleanup, now: float) -> list[Removal]:
    """What may be removed now, in the order in which to remove it. Pure.

    Containers that stopped, then what only those used: networks with nobody attached, images without a tag; then
    build cache that no image shares. Each older than its limit in ``policy``. Left alone: what carries the keep label,
    whatever its value; what a remaining container uses, running or not; everything whose age is not known; volumes.

    now: Unix seconds.
    """
    containers = list(_stopped_containers(usage.containers, policy, now))
    gone = {removal.id for removal in containers}
    staying = [container for container in usage.containers if container.id not in gone]
    leaving = [container for container in usage.containers if container.id in gone]
    return [
        *containers,
        *_unused_networks(usage.networks, staying, gone, policy, now),
        *_dangling_images(usage.images, leaving, policy, now),
        *_old_build_cache(usage.build_cache, policy, now),
    ]


def _age(since: float | None, limit: float, now: float) -> str | None:
    """The age in words when it is known and reaches the limit, else None. A time in the future is not an age."""
    if since is None or since > now or now - since < limit:
        return None
    age = now - since
    unit = 3600 if age >= 86400 else 60 if age >= 3600 else 1
    return format_duration(age // unit * unit)


def _stopped_containers(containers: Sequence[Container], policy: DockerCleanup, now: float) -> Iterator[Removal]:
    for container in containers:
        if container.state not in STOPPED or policy.keep_label in container.labels:
            continue
        never_ran = container.state == "created"
        since = container.created if never_ran else container.finished
        age = _age(since, policy.containers_min_age, now)
        if since is not None and age is not None:
            reason = f"made {age} ago and never started" if never_ran else f"stopped {age} ago"
            yield Removal("containers", container.id, container.name, container.bytes, since, reason)


def _unused_networks(
    networks: Sequence[Network], staying: Sequence[Container], gone: set[str], policy: DockerCleanup, now: float
) -> Iterator[Removal]:
    used = frozenset[str]().union(*(container.networks for container in staying))
    for network in networks:
        if network.builtin or policy.keep_label in network.labels:
            continue
        if network.id in used or network.name in used or not network.attached <= gone:
            continue
        age = _age(network.created, policy.networks_min_age, now)
        if network.created is not None and age is not None:
            yield Removal(
                "networks", network.id, network.name, 0, network.created, f"made {age} ago, used by no container"
            )


def _dangling_images(
    images: Sequence[Image], leaving: Sequence[Container], policy: DockerCleanup, now: float
) -> Iterator[Removal]:
    released = Counter(container.image_id for container in leaving)
    for image in images:
        if image.tags or policy.keep_label in image.labels or image.users > released[image.id]:
            continue
        since = image.created if image.pulled is None else image.pulled
        age = _age(since, policy.images_min_age, now)
        if since is not None and age is not None:
            name = image.digests[0] if image.digests else image.id.removeprefix("sha256:")[:12]
            unique = max(0, image.bytes - image.shared_bytes)
            yield Removal("images", image.id, name, unique, since, f"without a tag, pulled or built {age} ago")


def _old_build_cache(records: Sequence[CacheRecord], policy: DockerCleanup, now: float) -> Iterator[Removal]:
    """A record stays as long as one that builds upon it stays: the engine could not remove it either."""
    found: dict[str, tuple[float, str]] = {}
    for record in records:
        since = record.created if record.last_used is None else record.last_used
        age = _age(since, policy.build_cache_min_age, now)
        if since is not None and age is not None and not record.in_use and not record.shared:
            found[record.id] = (since, age)
    by_id = {record.id: record for record in records}
    needed = [parent for record in records if record.id not in found for parent in record.parents]
    while needed:
        key = needed.pop()
        if found.pop(key, None) is not None:
            needed.extend(by_id[key].parents)
    for record in records:
        if record.id in found:
            since, age = found[record.id]
            name = record.description or record.id
            yield Removal("build_cache", record.id, name, record.bytes, since, f"last used {age} ago")


class DockerUsageCollector:
    """Disk usage by kind as ``docker system df`` counts it, and what docker-cleanup could free by its policy.

    Raises ConnectionError when an engine that once answered does not. One that never did is not a failure:
    a machine without Docker has no usage to report.

    engine: patience with the disk usage call is taken from the collector's deadline, not from the engine's own timeout.
    clock: Unix seconds.
    """

    name = "docker_usage"

    def __init__(
        self,
        engine: DockerEngine,
        docker: Docker,
        settings: CollectorSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._engine = engine
        self._docker = docker
        self._clock = clock
        self._answered = False

    async def collect(self) -> Sequence[Metric]:
        try:
            await self._engine.call(lambda client: client.ping())  # so that a hung engine is noticed soon
            usage = await read_usage(self._engine.patient(self.deadline * 0.9))
        except DockerUnavailable as error:
            if self._answered:
                raise ConnectionError(str(error)) from error
            return []
        self._answered = True
        removals = select(usage, self._docker.cleanup, self._clock())
        return [*_usage_families(usage), *_cleanable_families(removals, int(self._docker.cleanable_max_bytes))]


def _usage_families(usage: Usage) -> Sequence[Metric]:
    """Size and reclaimable as in the Docker CLI: https://docs.docker.com/reference/cli/docker/system/df/"""
    size = GaugeMetricFamily(
        "upkeeper_docker_usage_bytes", "Disk space that Docker's objects take up.", labels=["kind"]
    )
    reclaimable = GaugeMetricFamily(
        "upkeeper_docker_reclaimable_bytes",
        "Disk space that removing all unused objects would free, whatever their age.",
        labels=["kind"],
    )
    objects = GaugeMetricFamily("upkeeper_docker_objects", "Docker's objects, unused ones included.", labels=["kind"])
    for kind, count, total, free in _figures(usage):
        size.add_metric([kind], total)
        reclaimable.add_metric([kind], free)
        objects.add_metric([kind], count)
    return size, reclaimable, objects


def _figures(usage: Usage) -> Iterator[tuple[str, int, int, int]]:
    """Kind, number of objects, bytes, reclaimable bytes."""
    stopped = STOPPED | {"removing"}
    used_images = sum(max(0, image.bytes - image.shared_bytes) for image in usage.images if image.users)
    cache = [record for record in usage.build_cache if not record.shared]
    yield "images", len(usage.images), usage.layers_bytes, max(0, usage.layers_bytes - used_images)
    yield (
        "containers",
        len(usage.containers),
        sum(container.bytes for container in usage.containers),
        sum(container.bytes for container in usage.containers if container.state in stopped),
    )
    yield (
        "volumes",
        len(usage.volumes),
        sum(volume.bytes or 0 for volume in usage.volumes),
        sum(volume.bytes or 0 for volume in usage.volumes if not volume.used),
    )
    yield (
        "build_cache",
        len(usage.build_cache),
        sum(record.bytes for record in cache),
        sum(record.bytes for record in cache if not record.in_use),
    )


def _cleanable_families(removals: Sequence[Removal], max_bytes: int) -> Iterator[Metric]:
    cleanable = GaugeMetricFamily(
        "upkeeper_docker_cleanable_bytes",
        "Disk space that docker-cleanup could free now by its policy: old enough, unused, not kept by label.",
        labels=["kind"],
    )
    for kind in ("containers", "images", "build_cache"):
        cleanable.add_metric([kind], sum(removal.bytes for removal in removals if removal.kind == kind))
    yield cleanable
    yield GaugeMetricFamily(
        "upkeeper_docker_cleanable_max_bytes",
        "Cleanable space above which docker-cleanup should run.",
        value=max_bytes,
    )
