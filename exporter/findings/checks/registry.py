"""The checks that there are, one file each."""

from collections.abc import Sequence

from exporter.findings.check import Check
from exporter.findings.checks.compose_valid import ComposeValid
from exporter.findings.checks.env_files import EnvFiles
from exporter.findings.checks.file_modes import FileModes
from exporter.findings.checks.health_checks import HealthChecks
from exporter.findings.checks.images import Images
from exporter.findings.checks.limits import Limits
from exporter.findings.checks.log_limits import LogLimits
from exporter.findings.checks.placeholders import Placeholders
from exporter.findings.checks.plain_secrets import PlainSecrets
from exporter.findings.checks.privileges import Privileges
from exporter.findings.checks.published_ports import PublishedPorts
from exporter.findings.checks.restart_policies import RestartPolicies
from exporter.findings.checks.unset_variables import UnsetVariables
from exporter.findings.checks.volumes import Volumes


def all_checks(placeholder_patterns: Sequence[str]) -> Sequence[Check]:
    """Every check of what can be read. Those that ask a program are in exporter.findings.program_checks."""
    return (
        Placeholders(placeholder_patterns),
        FileModes(),
        EnvFiles(),
        ComposeValid(),
        UnsetVariables(),
        PlainSecrets(),
        PublishedPorts(),
        Privileges(),
        Images(),
        Limits(),
        HealthChecks(),
        RestartPolicies(),
        LogLimits(),
        Volumes(),
    )
