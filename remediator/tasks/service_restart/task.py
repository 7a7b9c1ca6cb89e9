"""service-restart: restarts the container behind a failing service and waits until it is well again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from exporter.docker.containers import ListedContainer
from exporter.docker.engine import DockerEngine
from exporter.docker.objects import container_name
from exporter.inventory.services import Probe, Service
from exporter.probing.labels import labelled_services
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe
from remediator.model.task import Action, Disruption, Effect, Measurement, Plan, TaskError
from remediator.tasks.docker import ask
from remediator.tasks.service_restart.container_state import ContainerState, How, Verdict, describe, judge, parse_state

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger(__name__)

RESTART_LABEL = "upkeeper.restart=true"
"""Containers with this label are targets without being named in the config."""

Prober = Callable[[str, Probe], Awaitable[ProbeResult]]


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
    """Time for the probes to succeed, after that of the container's own health check."""
    settle: float = 10.0
    """How long a container that nothing checks must have run without a crash."""
    engine: float = 30.0
    """Time for the engine to start a container."""


class ServiceRestart:
    """Restarts one container: of a service in the config, named there as ``container:``, or labelled for it.

    probe, clock (monotonic seconds) and sleep are passed in by tests.
    """

    name = "service-restart"
    summary = "Restarts the container behind a failing service and waits until it is healthy."
    never = (
        "containers with the keep label (upkeeper.keep)",
        "containers that somebody stopped or paused, or that have finished",
        "containers of which neither the health check nor a probe fails",
        "any container but the target's, and nothing of its data: it is restarted, never removed or made anew",
    )
    disruption: Disruption = "brief"
    action_timeout = 900.0

    def __init__(
        self,
        services: Sequence[Service],
        engine: DockerEngine,
        keep_label: str = "upkeeper.keep",
        *,
        pacing: Pacing = Pacing(),
        probe: Prober = run_probe,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._services = {service.name: service for service in services}
        self._engine = engine
        self._keep_label = keep_label
        self._pacing = pacing
        self._probe = probe
        self._clock = clock
        self._sleep = sleep

    async def targets(self) -> Sequence[str]:
        """Services with a container, these containers, and the labelled ones (none while the engine is away)."""
        with_container = {name: service.container for name, service in self._services.items() if service.container}
        try:
            labelled = await ask(self._engine, _labelled)
        except TaskError as error:
            log.debug("labelled containers unknown", error=str(error))
            labelled = []
        return list(dict.fromkeys([*with_container, *with_container.values(), *labelled]))

    async def measure(self, target: str) -> Measurement:
        """Values: ``running`` and ``unhealthy`` (0 or 1), ``probes_failing``, ``restarts`` by Docker's own policy."""
        state = await self._state(target)
        failing = _words(await self._failing(target, state))
        unhealthy = state.running and state.health == "unhealthy"
        return Measurement(
            breached=not state.running or unhealthy or bool(failing),
            values={
                "running": float(state.running),
                "unhealthy": float(unhealthy),
                "probes_failing": len(failing),
                "restarts": state.restarts,
            },
            detail=f"{state.name}: {describe(state, failing)}",
        )

    async def plan(self, target: str) -> Plan:
        state = await self._state(target)
        verdict = await self._judge(target, state)
        if verdict.action is None:
            return Plan(notes=[f"{verdict.reason}."])
        params = {"container_id": state.id, "started_at": state.started_at}
        return Plan(actions=[Action(kind=verdict.action, object=state.name, reason=verdict.reason, params=params)])

    async def apply(self, target: str, action: Action) -> Effect:
        """Restarts until healthy, a few times with growing pauses. Raises TaskError with the last state if that fails.

        A container that was started since the plan, by a person or by this action before a crash, is not restarted:
        it is only waited for.
        """
        state = await self._find(str(action.params["container_id"]))
        if state is None:
            return Effect(state="skipped", detail="the container is gone")
        ends = self._clock() + self.action_timeout * 0.9
        if state.started_at != action.params["started_at"]:
            problem = await self._wait_until_well(target, state, ends)
            if problem is not None:
                raise TaskError(f"{state.name} was started again since the plan, and is not well: {problem}")
            return Effect(state="skipped", detail="it was started again since the plan, and is well")
        verdict = await self._judge(target, state)
        if verdict.action is None:
            return Effect(state="skipped", detail=verdict.reason)
        return await self._restart_until_well(target, state, verdict.action, ends)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """It was failing, and is not any more."""
        return before.breached and not after.breached

    async def _restart_until_well(self, target: str, state: ContainerState, how: How, ends: float) -> Effect:
        next_step: How | None = how
        restarts, pause, problem = 0, self._pacing.backoff, None
        for attempt in range(1, self._pacing.attempts + 1):
            if next_step is None:
                problem = await self._wait_until_well(target, state, ends)
            else:
                restarts += 1
                problem = await self._restart(target, state, next_step, ends)
            if problem is None:
                return Effect(state="done", detail=f"well after {_times(restarts)}")
            log.warning("container is not well", container=state.name, restarts=restarts, problem=problem)
            if attempt == self._pacing.attempts or self._clock() + pause >= ends:
                break
            await self._sleep(pause)
            pause *= 2
            state = await self._state_of(state)
            verdict = await self._judge(target, state)
            if verdict.action is None and not verdict.may_be_well:
                raise TaskError(f"gave up after {_times(restarts)}: {verdict.reason}")
            next_step = verdict.action
        raise TaskError(f"{state.name} is not well after {_times(restarts)}: {problem}")

    async def _restart(self, target: str, state: ContainerState, how: How, ends: float) -> str | None:
        """Restarts once and waits. None when it is well, else what is wrong, in words."""

        def act(client: "APIClient") -> None:
            if how == "start":
                client.start(state.id)
            else:
                client.restart(state.id, timeout=state.stop_seconds)

        try:
            await ask(self._engine.patient(state.stop_seconds + self._pacing.engine), act)
        except TaskError as error:
            return str(error)
        return await self._wait_until_well(target, await self._state_of(state), ends)

    async def _wait_until_well(self, target: str, start: ContainerState, ends: float) -> str | None:
        """Follows one start of a container. None once it is well, else what is wrong, in words.

        Well is: running, its health check says healthy if it has one, and its probes succeed. A container that nothing
        checks must not crash for a while.
        """
        began = self._clock()
        deadline = min(ends, began + start.health_seconds + self._pacing.probes)
        while True:
            state = await self._state_of(start)
            if not state.running or state.health == "unhealthy":
                return describe(state)
            if state.started_at != start.started_at:
                return "it stopped and was started again, not by this run"
            failing: list[str] = []
            if state.health != "starting":
                failing = _words(await self._failing(target, state))
                checked = state.health == "healthy" or bool(self._probes(target, state))
                if not failing and (checked or self._clock() >= began + self._pacing.settle):
                    return None
            if self._clock() >= deadline:
                return describe(state, failing)
            await self._sleep(self._pacing.poll)

    async def _state(self, target: str) -> ContainerState:
        """The state of the target's container. Raises TaskError when there is none of exactly that name."""
        service = self._services.get(target)
        wanted = service.container if service is not None and service.container else target
        state = await self._find(wanted)
        if state is None or state.name != wanted:  # the engine also finds containers by the beginning of an id
            raise TaskError(f"there is no container {wanted}")
        return state

    async def _state_of(self, known: ContainerState) -> ContainerState:
        state = await self._find(known.id)
        if state is None:
            raise TaskError(f"{known.name} was removed meanwhile")
        return state

    async def _find(self, key: str) -> ContainerState | None:
        def inspect(client: "APIClient") -> Any:
            from docker.errors import NotFound

            try:
                return client.inspect_container(key)
            except NotFound:
                return None

        inspected = await ask(self._engine, inspect)
        return None if inspected is None else parse_state(inspected)

    def _probes(self, target: str, state: ContainerState) -> list[tuple[str, Probe]]:
        """The probes of the target if it is a service, else of all services in the config or labels that it serves."""
        if target in self._services:
            services: Sequence[Service] = [self._services[target]]
        else:
            labelled, _ = labelled_services([ListedContainer(state.id, state.name, state.status, labels=state.labels)])
            configured = [service for service in self._services.values() if service.container == state.name]
            services = [*configured, *(service for service in labelled if service.name not in self._services)]
        return [(service.name, probe) for service in services for probe in service.probes]

    async def _judge(self, target: str, state: ContainerState) -> Verdict:
        failing = await self._failing(target, state)
        return judge(state, _words(failing), self._keep_label, starting=any(each.starting for each in failing))

    async def _failing(self, target: str, state: ContainerState) -> list[ProbeResult]:
        """Its probes that fail now. None of them is tried while the container does not run."""
        if not state.running:
            return []
        results = await asyncio.gather(*(self._probe(name, probe) for name, probe in self._probes(target, state)))
        return [result for result in results if not result.success]


def _words(failing: Sequence[ProbeResult]) -> list[str]:
    return [f"probe {result.target}/{result.probe}: {result.detail}" for result in failing]


def _times(attempts: int) -> str:
    return "one restart" if attempts == 1 else f"{attempts} restarts"


def _labelled(client: "APIClient") -> list[str]:
    entries: list[Any] = client.containers(all=True, filters={"label": RESTART_LABEL})
    return sorted(container_name(entry) for entry in entries)
