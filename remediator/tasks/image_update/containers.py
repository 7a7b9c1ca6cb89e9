"""The containers of one service: which image they run, stopped and started, and what hangs on them."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.docker.engine import DockerEngine
from exporter.docker.objects import timestamp
from exporter.docker.references import refers
from remediator.tasks.image_update.services import Estate, Member

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger(__name__)

_ENGINE_SECONDS = 60.0


class Containers:
    """Asked anew each time. Every method raises UpkeeperError when the engine does not answer."""

    def __init__(self, engine: DockerEngine, estate: Estate, project: str, service: str) -> None:
        self._engine, self._estate, self._project, self._service = engine, estate, project, service

    async def all(self) -> list[Member]:
        """By their numbers, also those that do not run."""
        return await self._estate.again(self._project, self._service)

    async def telling(self) -> list[Member]:
        """Those that run; where none does, all."""
        found = await self.all()
        return [each for each in found if each.state.running] or found

    async def images(self) -> list[str]:
        """The ids of the images that run, one for each container."""
        return [each.image_id for each in await self.all() if each.state.running]

    async def run_only(self, image_id: str, count: int) -> bool:
        """Whether so many run, all of them this image."""
        return await self.images() == [image_id] * count

    async def stop(self) -> None:
        for member in await self.all():
            if member.state.running:
                seconds = member.state.stop_seconds
                await self._engine.patient(seconds + _ENGINE_SECONDS).call(
                    partial(_stop, key=member.state.id, seconds=seconds)
                )

    async def start(self, count: int) -> None:
        """Starts what does not run, until so many do."""
        members = await self.all()
        missing = max(0, count - sum(each.state.running for each in members))
        for member in [each for each in members if not each.state.running][:missing]:
            await self._engine.patient(_ENGINE_SECONDS).call(partial(_start, key=member.state.id))

    async def loose(self, sharers: Sequence[str]) -> list[str]:
        """Of services that are to share something with these containers, those that do not, or do not run. Empty where
        none of these runs.
        """
        members, _ = await self._estate.everything()
        ours = [each for each in members if each.project == self._project]
        own = [each for each in ours if each.service == self._service and each.state.running]
        shared = [*own, *(each for each in ours if each.service in sharers)]
        untied = {each.service for each in shared if not (each.state.running and _joins(each, shared))}
        there = {each.service for each in shared}
        return [each for each in sharers if each in untied or each not in there] if own else []

    async def restart_dependents(self) -> None:
        """Those whose Compose file says so (``restart: true``), where they were started before these were."""
        members, _ = await self._estate.everything()
        ours = [each for each in members if each.project == self._project and each.state.running]
        began = max((_started(each) for each in ours if each.service == self._service), default=0.0)
        for each in ours:
            if each.restarts_with(self._service) and _started(each) < began:
                seconds = each.state.stop_seconds
                await self._engine.patient(seconds + _ENGINE_SECONDS).call(
                    partial(_restart, key=each.state.id, seconds=seconds)
                )
                log.info("restarted with the service that it depends on", container=each.state.name, of=self._service)


def _joins(member: Member, others: Sequence[Member]) -> bool:
    """Whether it shares something with one of the others as they are now."""
    return any(
        refers(reference, each.state.id, each.state.name)
        for reference in member.state.joined.values()
        for each in others
        if each is not member
    )


def _started(member: Member) -> float:
    return timestamp(member.state.started_at) or 0.0


def _stop(client: "APIClient", key: str, seconds: int) -> None:
    client.stop(key, timeout=seconds)


def _start(client: "APIClient", key: str) -> None:
    client.start(key)


def _restart(client: "APIClient", key: str, seconds: int) -> None:
    client.restart(key, timeout=seconds)
