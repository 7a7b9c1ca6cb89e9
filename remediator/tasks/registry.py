"""All tasks. Their facts are available at once; their libraries are imported when a task is made."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from remediator.model.taskfacts import Figure, Shows, TaskFacts
from remediator.tasks.backup.facts import BACKUP
from remediator.tasks.backup_retention.facts import BACKUP_RETENTION
from remediator.tasks.backup_verification.facts import BACKUP_VERIFICATION
from remediator.tasks.capacity_planning.facts import CAPACITY_PLANNING
from remediator.tasks.composite.facts import (
    COMPREHENSIVE_CLEANUP,
    DAILY,
    MONTHLY,
    PERFORMANCE_OPTIMIZATION,
    WEEKLY,
    YEARLY,
)
from remediator.tasks.configuration_audit.facts import CONFIGURATION_AUDIT, VALIDATE_CONFIG
from remediator.tasks.diagnose.facts import DIAGNOSE
from remediator.tasks.disaster_recovery.facts import DISASTER_RECOVERY_TEST
from remediator.tasks.docker_cleanup.facts import DOCKER_CLEANUP
from remediator.tasks.docker_volumes.facts import DOCKER_VOLUME_CLEANUP
from remediator.tasks.health_check.facts import HEALTH_CHECK
from remediator.tasks.image_update.facts import IMAGE_CHECK, IMAGE_UPDATE
from remediator.tasks.log_rotation.facts import LOG_ROTATION
from remediator.tasks.maintenance_report.facts import MAINTENANCE_REPORT
from remediator.tasks.monitoring_setup.facts import MONITORING_SETUP
from remediator.tasks.neo4j_maintenance.facts import NEO4J_INDEX_REBUILD, NEO4J_MAINTENANCE
from remediator.tasks.packages.facts import PACKAGE_CLEANUP, SECURITY_UPDATE, SYSTEM_UPDATE
from remediator.tasks.performance.facts import PERFORMANCE_ADVICE, PERFORMANCE_ANALYSIS, PERFORMANCE_CHECK
from remediator.tasks.postgres_debts.facts import POSTGRES_COLLATION_REFRESH, POSTGRES_EXTENSION_UPDATE
from remediator.tasks.postgres_maintenance.facts import POSTGRES_MAINTENANCE
from remediator.tasks.reboot.facts import REBOOT
from remediator.tasks.restore.facts import RESTORE
from remediator.tasks.restore_in_place.facts import RESTORE_IN_PLACE
from remediator.tasks.security_review.facts import SECURITY_REVIEW
from remediator.tasks.service_restart.facts import SERVICE_RESTART
from remediator.tasks.sqlite_shrink.facts import SQLITE_SHRINK

if TYPE_CHECKING:
    from remediator.config.config import Config
    from remediator.model.task import Task
    from remediator.tasks.resources import Resources

    Makes = Callable[[Config, Resources], Sequence[Task]]


class _Family(NamedTuple):
    """The tasks of one folder. load: imports what makes them."""

    facts: Sequence[TaskFacts]
    load: "Callable[[], Makes]"


def _health_check() -> "Makes":
    from remediator.tasks.health_check.task import tasks

    return tasks


def _log_rotation() -> "Makes":
    from remediator.tasks.log_rotation.task import tasks

    return tasks


def _docker_cleanup() -> "Makes":
    from remediator.tasks.docker_cleanup.task import tasks

    return tasks


def _docker_volumes() -> "Makes":
    from remediator.tasks.docker_volumes.task import tasks

    return tasks


def _postgres_maintenance() -> "Makes":
    from remediator.tasks.postgres_maintenance.task import tasks

    return tasks


def _postgres_debts() -> "Makes":
    from remediator.tasks.postgres_debts.task import tasks

    return tasks


def _sqlite_shrink() -> "Makes":
    from remediator.tasks.sqlite_shrink.task import tasks

    return tasks


def _neo4j_maintenance() -> "Makes":
    from remediator.tasks.neo4j_maintenance.task import tasks

    return tasks


def _service_restart() -> "Makes":
    from remediator.tasks.service_restart.task import tasks

    return tasks


def _configuration_audit() -> "Makes":
    from remediator.tasks.configuration_audit.task import tasks

    return tasks


def _backup() -> "Makes":
    from remediator.tasks.backup.task import tasks

    return tasks


def _backup_retention() -> "Makes":
    from remediator.tasks.backup_retention.task import tasks

    return tasks


def _backup_verification() -> "Makes":
    from remediator.tasks.backup_verification.task import tasks

    return tasks


def _restore() -> "Makes":
    from remediator.tasks.restore.task import tasks

    return tasks


def _packages() -> "Makes":
    from remediator.tasks.packages.task import tasks

    return tasks


def _reboot() -> "Makes":
    from remediator.tasks.reboot.task import tasks

    return tasks


def _image_update() -> "Makes":
    from remediator.tasks.image_update.making import tasks

    return tasks


def _disaster_recovery() -> "Makes":
    from remediator.tasks.disaster_recovery.task import tasks

    return tasks


def _restore_in_place() -> "Makes":
    from remediator.tasks.restore_in_place.task import tasks

    return tasks


def _diagnose() -> "Makes":
    from remediator.tasks.diagnose.task import tasks

    return tasks


def _security_review() -> "Makes":
    from remediator.tasks.security_review.task import tasks

    return tasks


def _monitoring_setup() -> "Makes":
    from remediator.tasks.monitoring_setup.task import tasks

    return tasks


def _capacity_planning() -> "Makes":
    from remediator.tasks.capacity_planning.task import tasks

    return tasks


def _performance() -> "Makes":
    from remediator.tasks.performance.task import tasks

    return tasks


def _maintenance_report() -> "Makes":
    from remediator.tasks.maintenance_report.task import tasks

    return tasks


def _composite() -> "Makes":
    from remediator.tasks.composite.task import tasks

    return tasks


_FAMILIES = (
    _Family((HEALTH_CHECK,), _health_check),
    _Family((LOG_ROTATION,), _log_rotation),
    _Family((DOCKER_CLEANUP,), _docker_cleanup),
    _Family((DOCKER_VOLUME_CLEANUP,), _docker_volumes),
    _Family((POSTGRES_MAINTENANCE,), _postgres_maintenance),
    _Family((POSTGRES_COLLATION_REFRESH, POSTGRES_EXTENSION_UPDATE), _postgres_debts),
    _Family((SQLITE_SHRINK,), _sqlite_shrink),
    _Family((NEO4J_MAINTENANCE, NEO4J_INDEX_REBUILD), _neo4j_maintenance),
    _Family((SERVICE_RESTART,), _service_restart),
    _Family((BACKUP,), _backup),
    _Family((BACKUP_VERIFICATION,), _backup_verification),
    _Family((BACKUP_RETENTION,), _backup_retention),
    _Family((RESTORE,), _restore),
    _Family((RESTORE_IN_PLACE,), _restore_in_place),
    _Family((SECURITY_UPDATE, SYSTEM_UPDATE, PACKAGE_CLEANUP), _packages),
    _Family((REBOOT,), _reboot),
    _Family((IMAGE_UPDATE, IMAGE_CHECK), _image_update),
    _Family((DISASTER_RECOVERY_TEST,), _disaster_recovery),
    _Family((CONFIGURATION_AUDIT, VALIDATE_CONFIG), _configuration_audit),
    _Family((SECURITY_REVIEW,), _security_review),
    _Family((MONITORING_SETUP,), _monitoring_setup),
    _Family((MAINTENANCE_REPORT,), _maintenance_report),
    _Family((DIAGNOSE,), _diagnose),
    _Family((CAPACITY_PLANNING,), _capacity_planning),
    _Family((PERFORMANCE_CHECK, PERFORMANCE_ANALYSIS, PERFORMANCE_ADVICE), _performance),
    _Family((DAILY, WEEKLY, MONTHLY, YEARLY, COMPREHENSIVE_CLEANUP, PERFORMANCE_OPTIMIZATION), _composite),
)

FACTS: Mapping[str, TaskFacts] = {facts.name: facts for family in _FAMILIES for facts in family.facts}
"""By the names of the tasks, in the order in which people see them."""


def shows(task: str) -> Shows:
    """What a plan or run of a task of this name is to people. One that no longer exists listed actions."""
    return FACTS[task].shows if task in FACTS else "actions"


def figures(task: str) -> Sequence[Figure]:
    """The columns of the table of a task that shows figures."""
    return FACTS[task].figures if task in FACTS else ()


def build_tasks(config: "Config", resources: "Resources") -> "Mapping[str, Task]":
    """Each task by its name, for this config. Made, with all of its family, when it is first asked for."""
    return _Tasks(config, resources)


class _Tasks(Mapping[str, "Task"]):
    facts = FACTS

    def __init__(self, config: "Config", resources: "Resources") -> None:
        self._config = config
        self._resources = resources
        self._made: dict[str, Task] = {}
        self._making = threading.Lock()

    def __getitem__(self, name: str) -> "Task":
        if name not in self._made:
            facts = FACTS[name]
            with self._making:
                if name not in self._made:
                    self._make(facts)
        return self._made[name]

    def _make(self, facts: TaskFacts) -> None:
        from remediator.tasks.held import Held

        family = next(family for family in _FAMILIES if facts in family.facts)
        for task in family.load()(self._config, self._resources):
            self._made[task.facts.name] = Held(task, self._resources)

    def __iter__(self) -> Iterator[str]:
        return iter(FACTS)

    def __len__(self) -> int:
        return len(FACTS)
