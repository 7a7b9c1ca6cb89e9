"""Restarts one container until it is healthy, or gives up and says why."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.docker.engine import DockerEngine
from remediator.model.task import Effect, TaskError
from remediator.tasks.service_restart.container_state import Advice, ContainerState, How, describe
from remediator.tasks.service_restart.containers import Containers

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pacing:
    """How patient a restart is. All in seconds but ``attempts``."""

    attempts: int = 3
    """Restarts within one action before it gives up."""
    backoff: float = 5.0
    """Pause before the second attempt; doubles before each further one."""
    poll: float = 0.5
    """Between two looks at a container that is coming up."""
    probes: float = 60.0
    """Time for the probes to succeed once the health check's time is up; also how long to wait for the health check
    before the probes alone decide."""
    settle: float = 10.0
    """How long a container that nothing checks must have run without a crash."""
    engine: float = 30.0
    """Time for the engine to start a container."""


DEFAULT_PACING = Pacing()


@dataclass(frozen=True, slots=True)
class Checks:
    """How the container that is restarted is judged."""

    failing: Callable[[ContainerState], Awaitable[list[str]]]
    """Its probes that fail now, in words."""
    probed: Callable[[ContainerState], bool]
    """Whether it has probes."""
    judge: Callable[[ContainerState], Awaitable[Advice]]
    """What a restart may do for it now."""


class Restarter:
    """Restarts containers of one engine.

    clock (monotonic seconds) and sleep are passed in by tests.
    """

    def __init__(
        self,
        engine: DockerEngine,
        pacing: Pacing,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._containers = Containers(engine)
        self._pacing = pacing
        self._clock = clock
        self._sleep = sleep

    def ends(self, seconds: float) -> float:
        """The time on its clock after this many seconds."""
        return self._clock() + seconds

    async def until_recovered(self, state: ContainerState, how: How, checks: Checks, ends: float) -> Effect:
        """Restarts a few times, with growing pauses. Raises TaskError with the last state if that fails."""
        next_step: How | None = how
        restarts, pause, problem = 0, self._pacing.backoff, None
        for attempt in range(1, self._pacing.attempts + 1):
            if next_step is None:
                problem = await self.wait(state, checks, ends)
            else:
                restarts += 1
                problem = await self._restart(state, next_step, checks, ends)
            if problem is None:
                return Effect(
                    state="done", detail=f"recovered after {counted(restarts, 'restart')}{await self._unsaid(state)}"
                )
            log.warning("container is not well", container=state.name, restarts=restarts, problem=problem)
            if attempt == self._pacing.attempts or self._clock() + pause >= ends:
                break
            await self._sleep(pause)
            pause *= 2
            state = await self._containers.again(state)
            advice = await checks.judge(state)
            if advice.action is None and not advice.may_be_well:
                raise TaskError(f"gave up after {counted(restarts, 'restart')}: {advice.reason}")
            next_step = advice.action
        raise TaskError(f"{state.name} has not recovered after {counted(restarts, 'restart')}: {problem}")

    async def _restart(self, state: ContainerState, how: How, checks: Checks, ends: float) -> str | None:
        """Restarts once and waits. None once it has recovered, else what is wrong, in words."""

        def act(client: "APIClient") -> None:
            if how == "start":
                client.start(state.id)
            else:
                client.restart(state.id, timeout=state.stop_seconds)

        try:
            await self._engine.patient(state.stop_seconds + self._pacing.engine).call(act)
        except UpkeeperError as error:
            return str(error)
        return await self.wait(await self._containers.again(state), checks, ends)

    async def wait(self, start: ContainerState, checks: Checks, ends: float) -> str | None:
        """Follows one start of a container. None once it has recovered, else what is wrong, in words.

        Recovered means: it runs, its health check (if it has one) says healthy, and its probes succeed. A health check
        that runs every few minutes may not report for long: then the probes alone decide after a while, or, without
        probes, that it keeps running until time is up. A container that nothing checks must not crash for a while.
        """
        began = self._clock()
        deadline = min(ends, began + start.health_seconds + self._pacing.probes)
        silent_to_the_end = began + start.health_seconds > ends
        while True:
            state = await self._containers.again(start)
            if not state.running or state.health == "unhealthy":
                return describe(state)
            if state.started_at != start.started_at:
                return "it stopped and was started again, not by this run"
            late, probed = self._clock() >= deadline, checks.probed(state)
            failing: list[str] = []
            if state.health != "starting" or (probed and (late or self._clock() >= began + self._pacing.probes)):
                failing = await checks.failing(state)
                checked = probed or state.health == "healthy"
                if not failing and (checked or self._clock() >= began + self._pacing.settle):
                    return None
            if late:
                return None if silent_to_the_end and not probed else describe(state, failing)
            await self._sleep(self._pacing.poll)

    async def _unsaid(self, state: ContainerState) -> str:
        """Says so if its health check has not reported yet."""
        now = await self._containers.again(state)
        return "; its health check has not reported yet" if now.health == "starting" else ""
