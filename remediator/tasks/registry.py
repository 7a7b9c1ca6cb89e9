"""The tasks that there are. Their facts are at hand at once; what they are made of is imported when they are made."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from remediator.model.taskfacts import Shows, TaskFacts
from remediator.tasks.configuration_audit.facts import CONFIGURATION_AUDIT, VALIDATE_CONFIG
from remediator.tasks.docker_cleanup.facts import DOCKER_CLEANUP
from remediator.tasks.health_check.facts import HEALTH_CHECK
from remediator.tasks.log_rotation.facts import LOG_ROTATION
from remediator.tasks.service_restart.facts import SERVICE_RESTART

if TYPE_CHECKING:
    from remediator.config.remedies import Config
    from remediator.model.task import Task
    from remediator.tasks.resources import Resources

_ALL = (HEALTH_CHECK, LOG_ROTATION, DOCKER_CLEANUP, SERVICE_RESTART, CONFIGURATION_AUDIT, VALIDATE_CONFIG)

FACTS: Mapping[str, TaskFacts] = {facts.name: facts for facts in _ALL}
"""By the names of the tasks, in the order in which people see them."""


def shows(task: str) -> Shows:
    """What a plan or run of a task of this name is to people. One that is no longer there listed actions."""
    return FACTS[task].shows if task in FACTS else "actions"


def build_tasks(config: "Config", resources: "Resources") -> "Mapping[str, Task]":
    """Each task by its name, made for this config."""
    from remediator.tasks.configuration_audit import task as configuration_audit
    from remediator.tasks.docker_cleanup import task as docker_cleanup
    from remediator.tasks.health_check import task as health_check
    from remediator.tasks.held import Held
    from remediator.tasks.log_rotation import task as log_rotation
    from remediator.tasks.service_restart import task as service_restart

    families = (health_check, log_rotation, docker_cleanup, service_restart, configuration_audit)
    made: Sequence[Task] = [task for family in families for task in family.tasks(config, resources)]
    return {task.facts.name: Held(task, resources) for task in made}
