"""Figures by the engine's word, for containers whose control groups this machine does not have."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.docker.container_figures import Figures, from_statistics
from exporter.docker.containers import ListedContainer
from exporter.docker.engine import DockerEngine, DockerUnavailable

if TYPE_CHECKING:
    from docker import APIClient

AT_ONCE = 8
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Seen:
    pid: int
    at: float
    figures: Figures | None


class EngineStatistics:
    """Asks for one look at each container (API 1.41), not for two that are a second apart.

    Engines before 23 still answer only with their next tick, within a second. So as many containers are asked in one
    round as there is time for, those first that were not asked for the longest, and the others keep their figures.

    max_age: seconds after which figures are no longer served. monotonic: seconds on a clock that never jumps.
    """

    def __init__(self, engine: DockerEngine, max_age: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._max_age = max_age
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}

    async def read(self, containers: Sequence[ListedContainer], seconds: float) -> Mapping[str, Figures]:
        """Figures by container id, of those that are known. Takes ``seconds`` at most."""
        pids = {container.id: container.inspected.pid for container in containers}
        self._seen = {key: seen for key, seen in self._seen.items() if pids.get(key) == seen.pid}
        waiting = sorted(containers, key=lambda each: self._seen[each.id].at if each.id in self._seen else 0.0)
        queue = iter(waiting)
        end = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._ask(queue, end) for _ in range(min(AT_ONCE, len(waiting)))))
        oldest = self._monotonic() - self._max_age
        return {key: seen.figures for key, seen in self._seen.items() if seen.figures is not None and seen.at >= oldest}

    async def _ask(self, queue: Iterator[ListedContainer], end: float) -> None:
        engine = self._engine.patient(_ANSWER_SECONDS, AT_ONCE)
        for container in queue:
            try:
                async with asyncio.timeout_at(end):
                    answer = await engine.call(partial(_one_look, container.id))
            except TimeoutError:
                return
            except (DockerUnavailable, OSError):  # OSError: an answer that refuses, as for one that vanished
                figures = None
            else:
                figures = from_statistics(answer, container)
            self._seen[container.id] = _Seen(container.inspected.pid, self._monotonic(), figures)


def _one_look(key: str, client: "APIClient") -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.stats(key, stream=False, one_shot=True)
    return found
