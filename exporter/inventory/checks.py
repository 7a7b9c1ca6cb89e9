"""The names of the checks of the configuration."""

from typing import Literal, get_args

CheckName = Literal[
    "placeholders",
    "file-modes",
    "env-files",
    "compose-valid",
    "compose-config",
    "unset-variables",
    "plain-secrets",
    "published-ports",
    "privileges",
    "images",
    "limits",
    "health-checks",
    "restart-policies",
    "log-limits",
    "volumes",
    "prometheus-config",
    "prometheus-rules",
    "alertmanager-config",
]


CHECKS: tuple[CheckName, ...] = get_args(CheckName)
"""Every check, in the order of the output."""


VALID: tuple[CheckName, ...] = (
    "placeholders",
    "env-files",
    "compose-valid",
    "compose-config",
    "unset-variables",
    "prometheus-config",
    "prometheus-rules",
    "alertmanager-config",
)
"""The checks of validate-config: whether the stack would start as it is meant to."""
