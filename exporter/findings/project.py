"""A Compose project as it was read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.findings.envfile import EnvFile
from exporter.findings.files import TextFile
from exporter.findings.finding import Place
from exporter.findings.paths import joined, parent
from exporter.findings.paths import name as name_of
from exporter.findings.tree import Flaw, Node, VariableUse

DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass
class Project:
    """A Compose project: its services after all merging, and what was noticed on the way."""

    files: Sequence[str]
    """As they are given to ``docker compose -f``."""
    services: dict[str, Node] = field(default_factory=dict)
    top: dict[str, Node] = field(default_factory=dict)
    """The other sections: ``volumes``, ``networks``, ``secrets``, ``configs``."""
    flaws: list[Flaw] = field(default_factory=list)
    uses: list[VariableUse] = field(default_factory=list)
    read: dict[str, TextFile] = field(default_factory=dict)
    """Every file of the project, by its path: Compose files and .env files."""
    env_files: dict[str, EnvFile] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    """What could not be looked at, one line each. Without it, the project is known as a whole."""
    unreadable: list[str] = field(default_factory=list)
    """Those of ``unread`` that are files."""

    @property
    def directory(self) -> str:
        return parent(self.files[0])

    def place(self) -> Place:
        return Place(self.files[0])

    def path(self, node: Node) -> str:
        """The path that a node's text means: relative ones are below the project's directory."""
        return joined(self.directory, node.text)


def with_override(files: Sequence[str], exists: Callable[[str], bool]) -> list[str]:
    """A single file of a default name, and the override file that Compose then takes by itself."""
    if len(files) != 1 or name_of(files[0]) not in DEFAULT_NAMES:
        return [*files]
    for default in DEFAULT_NAMES:
        stem, _, suffix = default.partition(".")
        override = joined(parent(files[0]), f"{stem}.override.{suffix}")
        if exists(override):
            return [files[0], override]
    return [*files]
