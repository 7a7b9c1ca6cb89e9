"""The tasks that there are."""

from collections.abc import Mapping

from exporter.configfile.named_files import secret_files
from exporter.docker.engine import DockerEngine
from exporter.findings.audit import Audit
from exporter.findings.pinned import PinnedDigests
from remediator.config.remedies import Config
from remediator.model.task import Task
from remediator.tasks.configuration_audit.task import configuration_audit, validate_config
from remediator.tasks.docker_cleanup.task import DockerCleanup
from remediator.tasks.health_check.task import HealthCheck
from remediator.tasks.log_rotation.task import LogRotation
from remediator.tasks.service_restart.task import ServiceRestart


def build_tasks(config: Config, docker: DockerEngine) -> Mapping[str, Task]:
    """Each task by its name, made for this config."""
    audit = Audit(config.configuration, secret_files(config))
    tasks: list[Task] = [
        HealthCheck(config.services, docker),
        LogRotation(config.logs),
        DockerCleanup(docker, config.docker, PinnedDigests(config.configuration.compose_files)),
        ServiceRestart(config.services, docker, config.docker.cleanup.keep_label),
        configuration_audit(audit, docker),
        validate_config(audit, docker),
    ]
    return {task.name: task for task in tasks}
