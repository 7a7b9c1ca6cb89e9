"""The collectors that an inventory asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from exporter.base.complaints import Complaints
from exporter.collectors.backups import BackupsCollector
from exporter.collectors.collector import Closable, Collector, Continuing
from exporter.collectors.docker import ANSWER_SECONDS, DockerCollector
from exporter.collectors.docker_usage import DockerUsageCollector
from exporter.collectors.filesystem import FilesystemCollector
from exporter.collectors.findings import FindingsCollector
from exporter.collectors.host import HostCollector
from exporter.collectors.logs import LogsCollector
from exporter.collectors.neo4j import Neo4jCollector
from exporter.collectors.postgres import PostgresCollector
from exporter.collectors.services import ServicesCollector
from exporter.collectors.sqlite import SqliteCollector
from exporter.collectors.systemd import SystemdCollector
from exporter.collectors.updates import UpdatesCollector
from exporter.docker import image_uses
from exporter.docker.engine import DockerEngine
from exporter.docker.read_only_engine import ReadOnlyEngine
from exporter.findings.audit import Audit
from exporter.findings.pinned_digests import PinnedDigests
from exporter.findings.running_projects import RunningProjects, running_projects
from exporter.inventory.inventory import Inventory
from exporter.inventory.services import Service
from exporter.probing.labels import labelled_services

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
        before = {collector.name: collector for collector in former.collectors}
        for collector in self.collectors:
            other = before.get(collector.name)
            if isinstance(collector, Continuing) and type(other) is type(collector):
                collector.continue_from(other)

    async def close(self) -> None:
        """Closes every connection. Only for collectors that no longer run."""
        self.engine.close()
        for collector in self.collectors:
            if isinstance(collector, Closable):
                try:
                    await collector.close()
                except Exception:  # those of a changed config must run all the same
                    log.exception("collector not closed", collector=collector.name)


def build(inventory: Inventory, state_dir: Path | None = None) -> Running:
    """A collector of each kind that is enabled. Until they run, nothing is connected to and no client library imported.

    The engine's timeout lets the docker collector say that the engine hangs within its deadline.
    state_dir: where results of tasks are read and caches kept; None without.
    """
    settings = inventory.collectors
    engine = ReadOnlyEngine(inventory.docker.host, min(ANSWER_SECONDS, settings.docker.deadline / 2))
    docker = DockerCollector(engine, inventory.docker, settings.docker) if settings.docker.enabled else None
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
    if settings.backups.enabled and inventory.backups:
        collectors.append(BackupsCollector(inventory.backups, settings.backups, settings.stale_after, state_dir))
    if docker is not None:
        collectors.append(docker)
    if settings.docker_usage.enabled:
        pinned = PinnedDigests(inventory.configuration.compose_files)
        uses = None if state_dir is None else image_uses.path_of(state_dir)
        collectors.append(
            DockerUsageCollector(engine, inventory.docker, settings.docker_usage, pinned=pinned, uses=uses)
        )
    if settings.neo4j.enabled and inventory.neo4j:
        collectors.append(Neo4jCollector(inventory.neo4j, settings.neo4j))
    if settings.postgres.enabled and inventory.postgres:
        collectors.append(PostgresCollector(inventory.postgres, settings.postgres))
    if settings.sqlite.enabled and inventory.sqlite:
        collectors.append(SqliteCollector(inventory.sqlite, settings.sqlite))
    if settings.host.enabled:
        collectors.append(HostCollector(inventory.host, settings.host))
    if settings.updates.enabled:
        collectors.append(UpdatesCollector(inventory.host, settings.updates))
    if settings.systemd.enabled:
        collectors.append(SystemdCollector(settings.systemd))
    if settings.findings.enabled:
        found = ListedProjects(docker) if docker is not None else RunningProjects
        collectors.append(FindingsCollector(Audit(inventory.configuration), settings.findings, found))
    return Running(collectors, engine, docker, services, settings.stale_after)


class LabelledServices:
    """The services that the labels of the containers declare, as of the docker collector's last listing."""

    def __init__(self, docker: DockerCollector) -> None:
        self._docker = docker
        self._complaints = Complaints(
            log, "container labels not understood", "container labels understood again", "container"
        )

    def __call__(self) -> Sequence[Service]:
        containers = self._docker.containers
        services, problems = labelled_services(containers)
        self._complaints.keep({container.name for container in containers})
        self._complaints.note_all(problems)
        return services


class ListedProjects:
    """What the containers tell of their projects, as of the docker collector's last listing; None before the first."""

    def __init__(self, docker: DockerCollector) -> None:
        self._docker = docker

    def __call__(self) -> RunningProjects | None:
        return None if self._docker.up is None else running_projects(self._docker.containers)
