"""service-restart: restarts the container or unit behind a failing service and waits until it is healthy again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from exporter.base.errors import UpkeeperError
from exporter.docker.containers import ListedContainer
from exporter.docker.engine import DockerEngine
from exporter.inventory.services import Probe, Service
from exporter.probing.labels import labelled_services
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe
from remediator.config.config import Config
from remediator.evidence.container import container_sources
from remediator.model.evidence import Source
from remediator.model.task import (
    CONTAINER_TARGET,
    NO_PARAMS,
    Action,
    Effect,
    Measurement,
    Parameters,
    Params,
    Plan,
    Task,
    TaskError,
)
from remediator.tasks.resources import Resources
from remediator.tasks.service_restart.container_state import (
    Advice,
    ContainerState,
    describe,
    dies_over_and_over,
    judge,
)
from remediator.tasks.service_restart.containers import Containers
from remediator.tasks.service_restart.facts import SERVICE_RESTART
from remediator.tasks.service_restart.restarter import DEFAULT_PACING, Checks, Pacing, Restarter
from remediator.tasks.service_restart.sharing import Sharer, sharers_of, why_unstartable
from remediator.tasks.service_restart.unit_restart import UnitRestart
from remediator.tasks.service_restart.units import Units

log = structlog.get_logger(__name__)

RESTART_LABEL = "upkeeper.restart"
"""Containers with this label and the value ``true`` are targets without being named in the config."""

Prober = Callable[[str, Probe], Awaitable[ProbeResult]]


class ServiceRestart:
    """Restarts one container: of a service in the config, named there as ``container:``, or labelled for it.

    With it go the running containers that share its network, processes or shared memory: they would be cut off.

    Of a service that names a ``unit:``, that systemd unit.

    probe, units, clock (monotonic seconds), sleep and now (Unix seconds) are passed in by tests.
    """

    facts = SERVICE_RESTART
    parameters = Parameters
    action_timeout = 900.0

    def __init__(
        self,
        services: Sequence[Service],
        engine: DockerEngine,
        keep_label: str = "upkeeper.keep",
        *,
        pacing: Pacing = DEFAULT_PACING,
        probe: Prober = run_probe,
        units: Units | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._services = {service.name: service for service in services}
        self._containers = Containers(engine)
        self._restarter = Restarter(engine, pacing, clock, sleep)
        self._keep_label = keep_label
        self._probe = probe
        self._unit = UnitRestart(units or Units(), self._failing_of, pacing, clock, sleep)

    async def targets(self) -> Sequence[str]:
        """Services with a container, these containers, and the labelled ones (none while the engine is away).

        A name means a service first. A container that has the name of a service, and is another one's, has the target
        ``container:NAME``.
        """
        try:
            labels = await self._containers.labels()
        except UpkeeperError as error:
            log.debug("labelled containers unknown", error=str(error))
            labels = {}
        return target_names(self._services, labels)

    async def measure(self, target: str) -> Measurement:
        """Values: ``running`` and ``unhealthy`` (0 or 1), ``probes_failing``, ``restarts`` by Docker's own policy, and
        ``cut_off``, the containers that still use a network (or the like) of its start before the last.
        """
        if (service := self._with_unit(target)) is not None:
            return await self._unit.measure(service)
        state = await self._state(target)
        failing = _words(await self._failing(target, state))
        cut_off = [sharer for sharer in sharers_of(state, await self._containers.all()) if sharer.cut_off]
        unhealthy = state.running and state.health == "unhealthy"
        words = [*failing, *(f"{sharer.state.name} is cut off from its {sharer.what}" for sharer in cut_off)]
        return Measurement(
            breached=not state.running or unhealthy or bool(failing or cut_off),
            values={
                "running": float(state.running),
                "unhealthy": float(unhealthy),
                "probes_failing": len(failing),
                "restarts": state.restarts,
                "cut_off": len(cut_off),
            },
            detail=f"{state.name}: {describe(state, words)}",
        )

    def evidence(self, target: str) -> Sequence[Source]:
        """How the container ended, and its last words: a restart takes both away."""
        if (service := self._with_unit(target)) is not None:
            return self._unit.evidence(service)

        async def find() -> str:
            return (await self._state(target)).id

        return container_sources(self._containers.engine, find)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        if (service := self._with_unit(target)) is not None:
            return await self._unit.plan(service)
        state = await self._state(target)
        containers = await self._containers.all()
        sharers = sharers_of(state, containers)
        advice = await self._advise(target, state, containers)
        broke = state.status == "exited" and state.exit_code != 0 and bool(advice.action)
        dies = broke or dies_over_and_over(state, self._now())
        why = await self._containers.why_it_dies(state) if dies else []
        if advice.action is None:
            cut_off = [sharer for sharer in sharers if sharer.cut_off]
            return Plan(
                actions=tuple(self._sharing(each) for each in cut_off if self._keep_label not in each.state.labels),
                notes=[f"{advice.reason}.", *why, *(f"{_of(sharer)} and is cut off." for sharer in cut_off)],
            )
        params = {"container_id": state.id, "started_at": state.started_at}
        action = Action(kind=advice.action, object=state.name, reason=advice.reason, params=params)
        return Plan(
            actions=[action, *(self._sharing(sharer) for sharer in sharers)],
            notes=[*why, *(f"{_of(sharer)}: it is restarted too." for sharer in sharers)],
        )

    @staticmethod
    def _sharing(sharer: Sharer) -> Action:
        params = {
            "container_id": sharer.state.id,
            "started_at": sharer.state.started_at,
            "parent_id": sharer.parent.id,
        }
        return Action(kind="restart", object=sharer.state.name, reason=_of(sharer), params=params)

    async def apply(self, target: str, action: Action) -> Effect:
        """Restarts a few times until it is healthy, with growing pauses. Raises TaskError if that fails.

        A container that was started since the plan, by a person or by this action before a crash, is not restarted:
        it is only waited for.
        """
        if (service := self._with_unit(target)) is not None:
            return await self._unit.apply(service, action, self.action_timeout * 0.9)
        state = await self._containers.find(str(action.params["container_id"]))
        if state is None:
            return Effect(state="skipped", detail="the container is gone")
        ends = self._restarter.ends(self.action_timeout * 0.9)
        if "parent_id" in action.params:
            return await self._restart_sharing(state, action, ends)
        checks = self._checks(target)
        if state.started_at != action.params["started_at"]:
            problem = await self._restarter.wait(state, checks, ends)
            if problem is not None:
                raise TaskError(f"{state.name} was started again since the plan, but has not recovered: {problem}")
            return Effect(state="skipped", detail="it was started again since the plan, and has recovered")
        advice = await checks.judge(state)
        if advice.action is None:
            return Effect(state="skipped", detail=advice.reason)
        return await self._restarter.until_recovered(state, advice.action, checks, ends)

    async def _restart_sharing(self, state: ContainerState, action: Action, ends: float) -> Effect:
        """Restarts a container that is cut off by its parent's restart, or that ended by it, and no other."""
        parent = await self._containers.find(str(action.params["parent_id"]))
        if parent is None or not parent.running:
            return Effect(
                state="skipped", detail="the container that it shares with is not running, so it could not start"
            )
        if self._keep_label in state.labels:
            return Effect(state="skipped", detail=f"{state.name} has the label {self._keep_label}")
        if state.started_at != action.params["started_at"] or not Sharer(state, parent, "").cut_off:
            return Effect(state="skipped", detail=f"it is not cut off from {parent.name}")
        if not state.running and not state.ends_with_parent:
            return Effect(state="skipped", detail=f"{state.name} was stopped since the plan")
        checks = self._checks(CONTAINER_TARGET + state.name, sharing=True)
        return await self._restarter.until_recovered(state, "restart" if state.running else "start", checks, ends)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """It was failing, and is not any more."""
        return before.breached and not after.breached

    def _checks(self, target: str, *, sharing: bool = False) -> Checks:
        async def failing(state: ContainerState) -> list[str]:
            return _words(await self._failing(target, state))

        async def advice(state: ContainerState) -> Advice:
            return await self._advise(target, state, await self._containers.all(), sharing=sharing)

        return Checks(failing, lambda state: bool(self._probes(target, state)), advice)

    async def _advise(
        self, target: str, state: ContainerState, containers: Sequence[ContainerState], *, sharing: bool = False
    ) -> Advice:
        """What a restart may do for a container, taking into account those that share with it.

        sharing: it is not the target itself, but shares with the target.
        """
        if not sharing and not self._may_restart(target, state):
            reason = f"{state.name} is not a target: no service names it, and it lacks the label {RESTART_LABEL}"
            return Advice(None, reason)
        failing = await self._failing(target, state)
        starting = any(each.starting for each in failing)
        advice = judge(state, _words(failing), self._keep_label, starting=starting, now=self._now())
        if advice.action is None:
            return advice
        unstartable = why_unstartable(state, containers)
        if unstartable is not None:
            return Advice(None, unstartable)
        kept = [each for each in sharers_of(state, containers) if self._keep_label in each.state.labels]
        if kept:
            return Advice(None, f"{_of(kept[0])}, would be cut off and has the label {self._keep_label}")
        return advice

    def _may_restart(self, target: str, state: ContainerState) -> bool:
        if not target.startswith(CONTAINER_TARGET):
            return True  # it is one of the targets
        configured = any(service.container == state.name for service in self._services.values())
        return configured or state.labels.get(RESTART_LABEL) == "true"

    def _with_unit(self, target: str) -> Service | None:
        service = self._services.get(target)
        return service if service is not None and service.unit else None

    async def _failing_of(self, service: Service) -> list[ProbeResult]:
        results = await asyncio.gather(*(self._probe(service.name, probe) for probe in service.probes))
        return [result for result in results if not result.success]

    async def _state(self, target: str) -> ContainerState:
        """The state of the target's container. Raises TaskError if none has exactly that name."""
        service = self._services.get(target)
        if service is not None and service.container:
            return await self._containers.named(service.container)
        return await self._containers.named(target.removeprefix(CONTAINER_TARGET))

    def _probes(self, target: str, state: ContainerState) -> list[tuple[str, Probe]]:
        """The target's probes if it is a service, else those of all services, configured or labelled, that it runs."""
        if target in self._services:
            services: Sequence[Service] = [self._services[target]]
        else:
            labelled, _ = labelled_services([ListedContainer(state.id, state.name, state.status, labels=state.labels)])
            configured = [service for service in self._services.values() if service.container == state.name]
            services = [*configured, *(service for service in labelled if service.name not in self._services)]
        return [(service.name, probe) for service in services for probe in service.probes]

    async def _failing(self, target: str, state: ContainerState) -> list[ProbeResult]:
        """Its probes that fail now; none is run while the container is not running."""
        if not state.running:
            return []
        results = await asyncio.gather(*(self._probe(name, probe) for name, probe in self._probes(target, state)))
        return [result for result in results if not result.success]


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [ServiceRestart(config.services, resources.docker, config.docker.cleanup.keep_label)]


def _words(failing: Sequence[ProbeResult]) -> list[str]:
    return [f"probe {result.target}/{result.probe}: {result.detail}" for result in failing]


def target_names(services: Mapping[str, Service], labels: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The targets of these services and of containers with these labels. Pure."""
    own = {name: service.container for name, service in services.items() if service.container}
    labelled = sorted(name for name, its in labels.items() if its.get(RESTART_LABEL) == "true")
    with_unit = [name for name, service in services.items() if service.unit]
    homonyms = sorted(name for name in {*labels, *own.values()} if own.get(name, name) != name)
    containers = [name for name in (*own.values(), *labelled) if name not in homonyms]
    return list(dict.fromkeys([*own, *with_unit, *containers, *(CONTAINER_TARGET + name for name in homonyms)]))


def _of(sharer: Sharer) -> str:
    return f"{sharer.state.name} has the {sharer.what} of {sharer.parent.name}"
