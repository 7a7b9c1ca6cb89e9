"""The Docker engine and its containers: whether it answers, how each container fares, and what it uses."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.docker.container_ends import Ends
from exporter.docker.container_figures import Figures, KernelFiles
from exporter.docker.containers import ListedContainer, Lister
from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.docker.events import ContainerEvents, Event
from exporter.docker.families import Measured, container_families, engine_families
from exporter.docker.measured_containers import selector
from exporter.docker.oom import OomKills, OomLook
from exporter.docker.statistics import EngineStatistics
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")
log = structlog.get_logger(__name__)

ANSWER_SECONDS = 5.0
"""How long the engine may take to answer before it counts as down."""

_FILES_PART = 0.1
_STATISTICS_PART = 0.2
"""Of the deadline, what each kind of figure may take; they are read after the listing, which may take half of it."""

_STATISTICS_ROUNDS = 5
"""How many intervals old the engine's statistics may be."""


class DockerCollector:
    """An engine that is stopped or hangs is no failure of the collector, but ``upkeeper_docker_up`` 0.

    Figures that cannot be read in time, or at all, are left out; states are served without them.

    engine: gives up by itself before the collector's deadline; see ANSWER_SECONDS.
    files: of the machine that the engine runs on. Those of another machine's containers are not found in them, and then
    the engine is asked for its statistics.
    clock: Unix seconds.
    """

    name = "docker"

    def __init__(
        self,
        engine: DockerEngine,
        docker: Docker,
        settings: CollectorSettings,
        files: KernelFiles | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self.containers: Sequence[ListedContainer] = ()
        """As of the last time the engine answered; all of them, also those that are not measured one by one."""
        self.up: bool | None = None
        """Whether the engine answered the last time; None before the first."""
        self._engine = engine
        self._docker = docker
        self._wanted = selector(docker)
        self._lister = Lister(self._wanted)
        self._files = files if files is not None else KernelFiles()
        self._statistics = EngineStatistics(engine, settings.interval * _STATISTICS_ROUNDS)
        self._looking = threading.Lock()
        self._threads = KeyedThreads()
        self._clock = clock
        self._events = ContainerEvents(clock)
        self._kills = OomKills(self._events.began if engine.socket is not None else None)
        self._ends = Ends()
        self._unavailable = Complaints(log, "docker engine unavailable", "docker engine answers again")
        self._slow = Complaints(
            log, "container figures not read in time", "container figures read in time again", "what"
        )

    def continue_from(self, former: "DockerCollector") -> None:
        """Takes over what a collector of the config before knew, so that no count starts over."""
        self.containers = former.containers
        self._events, self._kills, self._ends = former._events, former._kills, former._ends
        self._unavailable.continue_from(former._unavailable)
        self._slow.continue_from(former._slow)

    async def collect(self) -> Sequence[Metric]:
        try:
            self.containers, events = await self._engine.call(self._look)
        except DockerUnavailable as error:
            self._unavailable.note((), str(error))
            self.up = False
            return engine_families(False, self._docker)
        self._unavailable.note((), "")
        self.up = True
        chosen = [container for container in self.containers if self._wanted(container.name, container.labels)]
        figures, logs = await asyncio.gather(
            self._figures(chosen), self._in_thread("container logs", partial(_log_sizes, chosen))
        )
        kernel = {key: each.consumption.oom_kills for key, each in figures.items()}
        counts = self._kill_counts(chosen, kernel, events)
        ends = self._ends.update(
            chosen, events, {key: count for key, count in kernel.items() if count is not None}, self._clock()
        )
        measured = [
            Measured(
                each, figures.get(each.id, Figures()), (logs or {}).get(each.id), counts.get(each.id), ends[each.id]
            )
            for each in chosen
        ]
        left_behind = sum(end < self._clock() for end in self._lister.sandboxes.values())
        return [*engine_families(True, self._docker, left_behind), *container_families(measured)]

    def _look(self, client: "APIClient") -> tuple[Sequence[ListedContainer], Sequence[Event]]:
        """The containers, and the events since the last look. Blocks, one look at a time.

        Raises DockerUnavailable while an earlier look still runs, which was given up and still occupies its thread.
        """
        if not self._looking.acquire(blocking=False):
            raise DockerUnavailable("the Docker engine is still busy with the previous listing")
        try:
            containers = self._lister.read(client)
            return containers, self._events.read(client) if self._engine.socket is not None else []
        finally:
            self._looking.release()

    async def _figures(self, containers: Sequence[ListedContainer]) -> Mapping[str, Figures]:
        read = await self._in_thread("control groups", partial(self._files.read, containers))
        if read is None:
            return {}
        missing = [each for each in containers if each.inspected.pid and each.id not in read]
        for container in missing if read else ():  # it ended, or was restarted without a trace in the listing
            self._lister.forget(container.id)
        return {**await self._statistics.read(missing, self.deadline * _STATISTICS_PART), **read}

    def _kill_counts(
        self,
        containers: Sequence[ListedContainer],
        kernel: Mapping[str, int | None],
        events: Sequence[Event],
    ) -> Mapping[str, int]:
        """By container id. 0 only where a kill would be noticed. Kills before the exporter's start do not count."""
        counts = self._kills.update(
            [
                OomLook(each.id, each.inspected.started, kernel.get(each.id), each.inspected.oom_killed)
                for each in containers
            ],
            [(event.id, event.at) for event in events if event.exit_code is None and event.at > self._events.began],
        )
        heard = self._engine.socket is not None and not self._events.refused
        return {key: count for key, count in counts.items() if heard or count or kernel.get(key) is not None}

    async def _in_thread(self, what: str, function: Callable[[], T]) -> T | None:
        """None when it takes too long, as on a disk that hangs."""
        try:
            async with asyncio.timeout(self.deadline * _FILES_PART):
                result = await self._threads.run(what, function)
        except (TimeoutError, StillStuck):
            self._slow.note(what, f"no answer within {self.deadline * _FILES_PART:g} s")
            return None
        self._slow.note(what, "")
        return result


def _log_sizes(containers: Sequence[ListedContainer]) -> dict[str, int]:
    """Bytes by container id, of those whose log can be read."""
    sizes = ((container.id, container.inspected.log.size()) for container in containers)
    return {key: size for key, size in sizes if size is not None}
