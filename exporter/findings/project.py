"""A Compose project: how it is started, and what was read of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporter.findings.compose_tree import Flaw, Node, VariableUse
from exporter.findings.envfile import EnvFile
from exporter.findings.files import TextFile
from exporter.findings.finding import Place
from exporter.findings.paths import joined, parent
from exporter.findings.paths import name as name_of

DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is given to ``docker compose``, in absolute paths."""

    files: tuple[str, ...]
    """``-f``; later ones are laid over earlier ones."""
    env_files: tuple[str, ...] = ()
    """``--env-file``; later ones win. None means ``.env`` in the directory, which need not exist."""
    project_directory: str = ""
    """``--project-directory``; empty for that of the first file."""

    @property
    def directory(self) -> str:
        return self.project_directory or parent(self.files[0])

    @property
    def options(self) -> list[str]:
        """As the program takes them."""
        directory = ["--project-directory", self.project_directory] if self.project_directory else []
        env_files = [part for path in self.env_files for part in ("--env-file", path)]
        return [*directory, *env_files, *(part for path in self.files for part in ("-f", path))]

    def with_override(self, exists: Callable[[str], bool]) -> "Invocation":
        """The same, with the override file that Compose takes by itself next to a single file of a default name."""
        if len(self.files) != 1 or name_of(self.files[0]) not in DEFAULT_NAMES:
            return self
        for default in DEFAULT_NAMES:
            stem, _, suffix = default.partition(".")
            override = joined(parent(self.files[0]), f"{stem}.override.{suffix}")
            if exists(override):
                return replace(self, files=(self.files[0], override))
        return self


@dataclass
class Project:
    """A Compose project: its services after all merging, and what was noticed on the way."""

    invocation: Invocation
    services: dict[str, Node] = field(default_factory=dict)
    top: dict[str, Node] = field(default_factory=dict)
    """The other sections: ``volumes``, ``networks``, ``secrets``, ``configs``, ``models``, with absolute paths."""
    flaws: list[Flaw] = field(default_factory=list)
    uses: list[VariableUse] = field(default_factory=list)
    read: dict[str, TextFile] = field(default_factory=dict)
    """Every file of the project, by its path: Compose files and .env files."""
    env_files: dict[str, EnvFile] = field(default_factory=dict)
    needed_env_files: set[str] = field(default_factory=set)
    """Those of them that Compose looks at, whichever profile is off."""
    env_texts: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    """What env files set and is in force, as far as it is written there: path, name, text. See envfile.Resolved."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What its files can refer to."""
    variables_unread: bool = False
    """Whether an env file that its files refer to could not be read, so that any variable may be set there."""
    missing: dict[tuple[str, str], str] = field(default_factory=dict)
    """Files of secrets and configs that do not exist, by kind (``secret``) and name."""
    unread: list[str] = field(default_factory=list)
    """What could not be looked at, one line each. Without it, the project is known as a whole."""
    unreadable: list[str] = field(default_factory=list)
    """Those of ``unread`` that are files."""

    @property
    def files(self) -> Sequence[str]:
        return self.invocation.files

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles that its variables switch on."""
        return frozenset(name.strip() for name in self.variables.get("COMPOSE_PROFILES", "").split(",") if name.strip())

    @property
    def unknown_places(self) -> frozenset[Place]:
        """Where a text cannot be judged: its variable must be set and is not, or may be set in a file not read."""
        missing = [one for one in self.uses if not one.use.satisfied]
        return frozenset(
            one.place for one in missing if self.variables_unread or (one.use.kind == "required" and one.use.needed)
        )

    def place(self) -> Place:
        return Place(self.files[0])


def profiles_of(service: Node) -> frozenset[str]:
    """The profiles that a service belongs to; none for one that is always there."""
    node = service.at("profiles")
    return frozenset(item.text for item in node.items if item.text) if node is not None else frozenset()


def profiles_in_use(project: Project, running: Collection[tuple[str, str]]) -> frozenset[str]:
    """The profiles that are switched on, or that ``--profile`` switched on for what runs.

    running: services of which a container runs, each with its project's first file.
    """
    used = [one for name, one in project.services.items() if (project.files[0], name) in running]
    return project.profiles.union(*map(profiles_of, used))


def active_services(project: Project, running: Collection[tuple[str, str]]) -> Mapping[str, Node]:
    """The services that Compose starts: those of no profile, and those of profiles in use."""
    profiles = profiles_in_use(project, running)
    return {
        name: service
        for name, service in project.services.items()
        if not (own := profiles_of(service)) or "*" in profiles or own & profiles
    }
