"""Containers that an update of their engine takes down: which they are, and whether they are well again afterwards."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.docker.engine import DockerEngine
from remediator.tasks.packages.manager import Change

_ENGINES = frozenset({"docker.io", "docker-ce", "moby-engine", "containerd", "containerd.io"})
"""Packages whose update restarts what containers run on."""
_WITHIN = 180.0
"""Seconds in which they must be well again."""


def engines(changes: Sequence[Change]) -> list[str]:
    """The packages among these that restart a container engine, new ones not: nothing runs on them yet. Pure."""
    names = {one.name: one.name.partition(":")[0].partition(".x86_64")[0].partition(".aarch64")[0] for one in changes}
    return [one.name for one in changes if names[one.name] in _ENGINES and one.installed]


@dataclass(frozen=True, slots=True)
class Running:
    """Containers that run. live_restore: they go on while their engine restarts."""

    names: Sequence[str]
    live_restore: bool


def unwell(containers: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Which of these are not well, and how they are, by the engine's list. Pure."""
    found = {str(one["Names"][0]).removeprefix("/"): one for one in containers if one.get("Names")}

    def why(name: str) -> str:
        one = found.get(name)
        if one is None:
            return "gone"
        status = str(one.get("Status", ""))
        if one.get("State") != "running":
            return str(one.get("State"))
        return next((word for word in ("unhealthy", "health: starting") if word in status), "")

    return [f"{name} ({how})" for name in names if (how := why(name))]


def note(packages: Sequence[str], running: Running | None) -> str:
    """What a plan says before such an update. Pure."""
    start = f"{', '.join(packages)}: the update restarts the container engine"
    if running is None:
        return f"{start}, which did not answer; unless it has live-restore, all its containers are down meanwhile."
    if running.live_restore:
        return f"{start}; it has live-restore, so containers go on meanwhile."
    if not running.names:
        return f"{start}; no container runs."
    shown = ", ".join(running.names[:20]) + (f" and {len(running.names) - 20} more" if len(running.names) > 20 else "")
    return f"{start}; {counted(len(running.names), 'container')} would be down meanwhile: {shown}."


class Containers:
    """Those of one engine. engine: makes it. within: seconds in which containers must be well again."""

    def __init__(self, engine: Callable[[], DockerEngine], within: float = _WITHIN) -> None:
        self._engine = engine
        self._within = within

    async def running(self) -> Running | None:
        """None where the engine does not answer."""
        try:
            listed = await self._listed(everything=False)
            information = await self._engine().call(lambda client: client.info())
        except UpkeeperError:
            return None
        names = sorted(str(one["Names"][0]).removeprefix("/") for one in listed if one.get("Names"))
        return Running(names, bool(information.get("LiveRestoreEnabled")))

    async def not_back(self, running: Running) -> list[str]:
        """Which of those that ran are not well again in time, and how they are; empty where all are."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._within
        while True:
            try:
                bad = unwell(await self._listed(everything=True), running.names)
            except UpkeeperError as error:
                bad = [str(error)]
            if not bad or loop.time() >= end:
                return bad
            await asyncio.sleep(min(1.0, self._within / 10))

    async def _listed(self, *, everything: bool) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = await self._engine().call(lambda client: client.containers(all=everything))
        return listed
