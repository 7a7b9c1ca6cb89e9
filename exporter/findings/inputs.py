"""What the checks look at, as it was read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.findings.envfile import EnvFile
from exporter.findings.files import Mode, TextFile
from exporter.findings.finding import Kind
from exporter.findings.project import Project

KEEPS_ALL = "json-file"
"""The log driver of Docker that keeps everything, unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class DaemonLogs:
    """What the Docker daemon does with the logs of containers that say nothing themselves."""

    driver: str = KEEPS_ALL
    limited: bool = False
    """Whether ``max-size`` is among its options."""


@dataclass(frozen=True)
class Inputs:
    """All that was read. Each file is in it once."""

    projects: Sequence[Project] = ()
    env_files: Sequence[EnvFile] = ()
    texts: Sequence[TextFile] = ()
    """Every file that is text, those of the projects too."""
    modes: Sequence[Mode] = ()
    daemon_logs: DaemonLogs = DaemonLogs()
    owners: Mapping[str, str] = field(default_factory=dict)
    """The project of each file that belongs to one, by the project's first file."""
    running: frozenset[tuple[str, str]] = frozenset()
    """Services of which a container runs: the project's first file, the name."""
    health_checked: frozenset[tuple[str, str]] = frozenset()
    """Services of which a running container has a health check: the project's first file, the name."""
    present: frozenset[Kind] = frozenset()
    """Of which kinds anything is configured or was found."""
    unread: Mapping[Kind, Sequence[str]] = field(default_factory=dict)
    """What could not be read of each kind, one line each."""
