"""What Docker's objects take up, what could be freed, and how much of that docker-cleanup may free."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.families import Families
from exporter.docker import image_uses
from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.docker.image_uses import ImageUses
from exporter.docker.objects import STOPPED, Usage, read_usage
from exporter.docker.selection import Removal, select
from exporter.findings.pinned_digests import PinnedDigests
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker

log = structlog.get_logger(__name__)


class DockerUsageCollector:
    """Disk usage by kind as ``docker system df`` counts it, and what docker-cleanup could free by its policy.

    Raises ConnectionError when an engine that once answered does not. One that never did is not a failure:
    a machine without Docker has no usage to report.

    pinned: tells which images Compose files name. uses: the file in which it is written down when images were used;
    None: it is not.
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
        pinned: PinnedDigests | None = None,
        uses: Path | None = None,
    ) -> None:
        self._uses = uses
        self._known: ImageUses | None = None
        self._complaints = Complaints(
            log, "uses of images not written down", "uses of images written down again", "file"
        )
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._engine = engine
        self._docker = docker
        self._pinned = pinned if pinned is not None else PinnedDigests()
        self._clock = clock
        self._answered = False

    async def collect(self) -> Sequence[Metric]:
        try:
            await self._engine.call(lambda client: client.ping())  # so that a hung engine is noticed soon
            tagged = self._docker.cleanup.tagged_images_min_unused is not None
            usage = await read_usage(self._engine.patient(self.deadline * 0.9), tagged=tagged)
        except DockerUnavailable as error:
            if self._answered:
                raise ConnectionError(str(error)) from error
            return []
        self._answered = True
        usage = replace(await self._pinned.add_to(usage), uses=await self._note_uses(usage))
        removals = select(usage, self._docker.cleanup, self._clock())
        return [*_usage_families(usage), *_cleanable_families(removals, int(self._docker.cleanable_max_bytes))]

    async def _note_uses(self, usage: Usage) -> ImageUses | None:
        """When images were last used, with those that are used now."""
        if self._uses is None:
            return None
        try:
            self._known = await asyncio.to_thread(_noted, self._uses, self._known, usage, self._clock())
        except OSError as error:
            self._complaints.note(str(self._uses), error.strerror or str(error))
        else:
            self._complaints.note(str(self._uses), "")
        return self._known


def _noted(path: Path, known: ImageUses | None, usage: Usage, now: float) -> ImageUses:
    before = known if known is not None else image_uses.read(path)
    used = {container.image_id for container in usage.containers}
    after = image_uses.merged(before, used, {image.id for image in usage.images}, now)
    if not image_uses.is_news(before, after):
        assert before is not None
        return before
    image_uses.write(path, after)
    return after


def _usage_families(usage: Usage) -> Sequence[Metric]:
    """Size and reclaimable as in the Docker CLI: https://docs.docker.com/reference/cli/docker/system/df/"""
    made = Families("upkeeper_docker", "kind")
    size = made.gauge("usage_bytes", "Disk space that Docker's objects take up.")
    reclaimable = made.gauge(
        "reclaimable_bytes", "Disk space that removing all unused objects would free, whatever their age."
    )
    objects = made.gauge("objects", "Docker's objects, unused ones included.")
    for kind, count, total, free in _figures(usage):
        size.add([kind], total)
        reclaimable.add([kind], free)
        objects.add([kind], count)
    return made.all


def _figures(usage: Usage) -> Iterator[tuple[str, int, int, int]]:
    """Kind, number of objects, bytes, reclaimable bytes: the engine's own where it sums up."""
    for kind, (count, total, free) in _counted(usage).items():
        told = usage.totals.get(kind)
        yield (kind, told.count, told.bytes, told.reclaimable) if told is not None else (kind, count, total, free)


def _counted(usage: Usage) -> Mapping[str, tuple[int, int, int]]:
    """Number, bytes and reclaimable bytes by kind, counted from the objects as the Docker CLI does."""
    stopped = STOPPED | {"removing"}
    used_images = sum(max(0, image.bytes - image.shared_bytes) for image in usage.images if image.users)
    cache = [record for record in usage.build_cache if not record.shared]
    return {
        "images": (len(usage.images), usage.layers_bytes, max(0, usage.layers_bytes - used_images)),
        "containers": (
            len(usage.containers),
            sum(container.bytes for container in usage.containers),
            sum(container.bytes for container in usage.containers if container.state in stopped),
        ),
        "volumes": (
            len(usage.volumes),
            sum(volume.bytes or 0 for volume in usage.volumes),
            sum(volume.bytes or 0 for volume in usage.volumes if not volume.used),
        ),
        "build_cache": (
            len(usage.build_cache),
            sum(record.bytes for record in cache),
            sum(record.bytes for record in cache if not record.in_use),
        ),
    }


def _cleanable_families(removals: Sequence[Removal], max_bytes: int) -> Sequence[Metric]:
    made = Families("upkeeper_docker")
    made.gauge(
        "cleanable_bytes",
        "Disk space that docker-cleanup could free now by its policy: old enough, unused, not kept by a label.",
        "kind",
    ).add_all(
        ([kind], sum(removal.bytes for removal in removals if removal.kind == kind))
        for kind in ("containers", "images", "build_cache")
    )
    made.gauge("cleanable_max_bytes", "Cleanable space above which docker-cleanup should run.").add((), max_bytes)
    return made.all
