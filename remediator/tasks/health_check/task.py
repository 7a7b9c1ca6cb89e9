"""health-check: probes everything now. It only looks; its outcome says whether everything is healthy."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from exporter.base.errors import UpkeeperError
from exporter.docker.containers import ListedContainer, Lister
from exporter.docker.engine import DockerEngine
from exporter.inventory.services import Probe, Service
from exporter.probing.labels import labelled_services
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.health_check.facts import ALL, HEALTH_CHECK
from remediator.tasks.health_check.notes import line
from remediator.tasks.resources import Resources

log = structlog.get_logger(__name__)

Prober = Callable[[str, Probe], Awaitable[ProbeResult]]


@dataclass
class Seen:
    """What was seen of an engine so far. It outlives the config: a reload makes no failing engine a missing one."""

    lister: Lister = field(default_factory=Lister)
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``name``: ``service/probe``, or ``docker:container``."""

    name: str
    passed: bool
    detail: str


class HealthCheck:
    """Probes services, those that containers declare by labels too, and reads the containers' own health checks.

    A machine whose Docker engine never answered is one without Docker: its containers are left out, with a note. An
    engine that did answer and does not any more is a failure.

    seen: what is known of the engine already.
    """

    facts = HEALTH_CHECK
    parameters = Parameters
    action_timeout = 60.0

    def __init__(
        self,
        services: Sequence[Service],
        engine: DockerEngine | None = None,
        seen: Seen | None = None,
        *,
        probe: Prober = run_probe,
    ) -> None:
        self._services = {service.name: service for service in services}
        self._engine = engine
        self._probe = probe
        self._seen = seen or Seen()

    async def targets(self) -> Sequence[str]:
        """``all``, services, and running containers with a health check."""
        containers, _ = await self._containers()
        return list(
            dict.fromkeys([ALL, *self._all_services(containers), *(each.name for each in _checked(containers))])
        )

    async def measure(self, target: str) -> Measurement:
        """Values: 1 or 0 for each check by its name."""
        checks, _ = await self._look(target)
        failed = [check for check in checks if not check.passed]
        if failed:
            names = "; ".join(f"{check.name}: {check.detail}" for check in failed)
            detail = f"{len(failed)} of {len(checks)} checks fail: {names}"
        else:
            detail = f"all {len(checks)} checks pass" if checks else "there is nothing to check"
        values = {check.name: float(check.passed) for check in checks}
        return Measurement(breached=bool(failed), values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Never an action; a note for each check, those that fail first."""
        checks, remarks = await self._look(target)
        lines = [
            line(check.name, check.passed, check.detail) for check in sorted(checks, key=lambda check: check.passed)
        ]
        return Plan(notes=[*lines, *remarks])

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Something failed, and nothing fails any more."""
        return before.breached and not after.breached

    async def _look(self, target: str) -> tuple[list[Check], list[str]]:
        """The checks of a target, and remarks on what could not be looked at."""
        if target in self._services and target != ALL:
            return await self._probe_all([self._services[target]]), []
        containers, problem = await self._containers()
        services = list(self._all_services(containers).values())
        checked = _checked(containers)
        remarks: list[str] = []
        if target != ALL:
            services = [service for service in services if service.name == target]
            checked = [container for container in checked if container.name == target]
            if not services and not checked:
                raise TaskError(problem or f"there is no service, and no container with a health check, named {target}")
        checks = [*await self._probe_all(services), *map(_health, checked)]
        if problem is not None and self._seen.answered:
            checks.append(Check("docker", False, problem))
        elif problem is not None:
            remarks.append(f"Containers were left out: {problem}.")
        return checks, remarks

    async def _probe_all(self, services: Sequence[Service]) -> list[Check]:
        results = await asyncio.gather(
            *(self._probe(service.name, probe) for service in services for probe in service.probes)
        )
        return [Check(f"{each.target}/{each.probe}", each.success, _found(each)) for each in results]

    async def _containers(self) -> tuple[Sequence[ListedContainer], str | None]:
        """The containers, and why they are unknown, if so."""
        if self._engine is None:
            return (), None
        try:
            containers = await self._engine.call(partial(Lister.read, self._seen.lister))
        except UpkeeperError as error:
            log.debug("containers unknown", error=str(error))
            return (), str(error)
        self._seen.answered = True
        return containers, None

    def _all_services(self, containers: Sequence[ListedContainer]) -> dict[str, Service]:
        """The services by name; one in the config wins over one that a label declares."""
        labelled, _ = labelled_services(containers)
        return self._services | {service.name: service for service in labelled if service.name not in self._services}


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    seen = resources.memory.of(Seen, config.docker.host)
    return [HealthCheck(config.services, resources.docker, seen)]


def _found(result: ProbeResult) -> str:
    """Why it failed, or what was found and how fast."""
    return f"{result.detail} in {result.duration * 1000:.0f} ms" if result.success else result.detail


def _checked(containers: Sequence[ListedContainer]) -> list[ListedContainer]:
    """Running containers with a health check, by name: a stopped one keeps its last verdict, which means nothing."""
    checked = [container for container in containers if container.state == "running" and container.health != "none"]
    return sorted(checked, key=lambda container: container.name)


def _health(container: ListedContainer) -> Check:
    return Check(f"docker:{container.name}", container.health != "unhealthy", container.health)
