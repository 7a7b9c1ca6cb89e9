"""The collectors that an inventory asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from exporter.collectors import Collector
from exporter.collectors.docker import ANSWER_SECONDS, DockerCollector
from exporter.collectors.docker_usage import DockerUsageCollector
from exporter.collectors.filesystem import FilesystemCollector
from exporter.collectors.findings import FindingsCollector
from exporter.collectors.logs import LogsCollector
from exporter.collectors.services import ServicesCollector
from exporter.config import Inventory
from exporter.dockerapi import DockerEngine
from exporter.findings.audit import Audit
from exporter.findings.found import Found, found_in
from exporter.labels import labelled_services
from exporter.settings.services import Service

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Running:
    """The collectors of one inventory, with those of them that others ask."""

    collectors: Sequence[Collector]
    engine: DockerEngine
    docker: DockerCollector | None
    services: ServicesCollector | None
    stale_after: float

    def continue_from(self, former: "Running") -> None:
        """Takes over what is known by now, so that neither /health nor a labelled service is unknown for a while."""
        if self.services is not None and former.services is not None:
            self.services.results = former.services.results
        if self.docker is not None and former.docker is not None:
            self.docker.containers = former.docker.containers


def build(inventory: Inventory) -> Running:
    """A collector of each kind that is enabled. Until they run, nothing is connected to and no client library imported.

    The engine's timeout lets the docker collector say that the engine hangs within its deadline.
    """
    settings = inventory.collectors
    engine = DockerEngine(inventory.docker.host, min(ANSWER_SECONDS, settings.docker.deadline / 2))
    docker = DockerCollector(engine, settings.docker) if settings.docker.enabled else None
    services: ServicesCollector | None = None
    collectors: list[Collector] = []
    if settings.services.enabled:
        discovered = LabelledServices(docker) if docker is not None else tuple
        services = ServicesCollector(inventory.services, settings.services, discovered)
        collectors.append(services)
    if settings.filesystem.enabled:
        collectors.append(FilesystemCollector(inventory.filesystems, settings.filesystem))
    if settings.logs.enabled:
        collectors.append(LogsCollector(inventory.logs, settings.logs, settings.stale_after))
    if docker is not None:
        collectors.append(docker)
    if settings.docker_usage.enabled:
        collectors.append(DockerUsageCollector(engine, inventory.docker, settings.docker_usage))
    if settings.findings.enabled:
        found = RunningProjects(docker) if docker is not None else Found
        collectors.append(FindingsCollector(Audit(inventory.configuration), settings.findings, found))
    return Running(collectors, engine, docker, services, settings.stale_after)


class LabelledServices:
    """The services that the labels of the containers declare, as of the docker collector's last listing."""

    def __init__(self, docker: DockerCollector) -> None:
        self._docker = docker
        self._problems: Mapping[str, str] = {}

    def __call__(self) -> Sequence[Service]:
        services, problems = labelled_services(self._docker.containers)
        for container, reason in problems.items():
            if self._problems.get(container) != reason:
                log.warning("container labels not understood", container=container, reason=reason)
        self._problems = problems
        return services


class RunningProjects:
    """What the containers tell of their projects, as of the docker collector's last listing; None before the first."""

    def __init__(self, docker: DockerCollector) -> None:
        self._docker = docker

    def __call__(self) -> Found | None:
        return None if self._docker.up is None else found_in(self._docker.containers)
