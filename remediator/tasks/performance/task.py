"""The tasks about performance, made of a config."""

from collections.abc import Sequence
from functools import partial

from exporter.collectors.docker import DockerCollector
from exporter.collectors.host import HostCollector
from exporter.inventory.inventory import DRILL_DIRECTORY
from remediator.config.config import Config
from remediator.model.task import Task
from remediator.peers.places import Peers, PeerUnknown
from remediator.peers.prometheus import Prometheus
from remediator.tasks.docker_cleanup import task as docker_cleanup_task
from remediator.tasks.log_rotation import task as log_rotation_task
from remediator.tasks.neo4j_maintenance import task as neo4j_maintenance_task
from remediator.tasks.packages import task as packages_task
from remediator.tasks.packages.facts import SECURITY_UPDATE
from remediator.tasks.performance import queries
from remediator.tasks.performance.advice import PerformanceAdvice
from remediator.tasks.performance.analysis import PerformanceAnalysis
from remediator.tasks.performance.check import PerformanceCheck, Servers
from remediator.tasks.performance.host import Collected
from remediator.tasks.performance.known import Known
from remediator.tasks.postgres_maintenance import task as postgres_maintenance_task
from remediator.tasks.resources import Resources
from remediator.tasks.sqlite_shrink import task as sqlite_shrink_task

ANSWER_SECONDS = 60.0


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    collectors = config.collectors
    collected = Collected(
        HostCollector(config.host, collectors.host),
        DockerCollector(resources.docker, config.docker, collectors.docker),
        resources.docker,
    )
    servers: Servers = [
        *((one.name, partial(queries.postgres, one.name, resources.postgres(one))) for one in config.postgres),
        *((one.name, partial(queries.neo4j, one.name, resources.neo4j(one))) for one in config.neo4j),
    ]
    peers = Peers(lambda: config, resources.state_dir) if resources.state_dir is not None else None

    def prometheus() -> Prometheus:
        if peers is None:
            raise PeerUnknown("there is no state directory")
        return peers.prometheus(ANSWER_SECONDS)

    without_drill = config.model_copy(update={"logs": [one for one in config.logs if one.name != DRILL_DIRECTORY]})
    advisers = [
        *postgres_maintenance_task.tasks(config, resources),
        *neo4j_maintenance_task.tasks(config, resources),
        *docker_cleanup_task.tasks(config, resources),
        *log_rotation_task.tasks(without_drill, resources),
        *sqlite_shrink_task.tasks(config, resources),
        *(one for one in packages_task.tasks(config, resources) if one.facts is SECURITY_UPDATE),
    ]
    return [
        PerformanceCheck(collected, servers),
        PerformanceAnalysis(prometheus),
        PerformanceAdvice(advisers, Known(config, resources)),
    ]
