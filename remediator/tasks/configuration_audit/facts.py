"""What configuration-audit and validate-config are."""

from exporter.inventory.checks import CHECKS, VALID
from remediator.model.taskfacts import TaskFacts

ALL = "all"

CONFIGURATION_AUDIT = TaskFacts(
    name="configuration-audit",
    summary="Looks for mistakes in Compose files, .env files, file modes and monitoring configs.",
    never=("anything: it only looks",),
    configured=lambda document: [ALL, *CHECKS],
    unattended="auto",
    shows="findings",
)

VALIDATE_CONFIG = TaskFacts(
    name="validate-config",
    summary="Tells whether the stack's configuration is complete and would be accepted.",
    never=("anything: it only looks",),
    configured=lambda document: [ALL, *VALID],
    unattended="auto",
    shows="findings",
)
