"""The services of running Compose projects, by the labels of their containers. Pure but for the one question."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.docker import composelabels
from exporter.docker.engine import DockerEngine, is_gone
from exporter.docker.sandboxlabels import SANDBOX
from exporter.findings.paths import joined
from exporter.findings.project import Invocation
from remediator.tasks.image_update.distribution import Platform, environment_of
from remediator.tasks.image_update.references import digest_of
from remediator.tasks.service_restart.container_state import ContainerState, parse_state

if TYPE_CHECKING:
    from docker import APIClient

UPDATE_LABEL = "upkeeper.update"
_IMAGE_LABEL = "com.docker.compose.image"
_DEPENDS_LABEL = "com.docker.compose.depends_on"


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that a container may write to, as it is on this machine."""

    source: str
    volume: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A container of a Compose project."""

    state: ContainerState
    project: str
    service: str
    image: str
    """As it was asked for."""
    image_id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    """Those that it may write to."""

    @property
    def target(self) -> str:
        return f"{self.project}.{self.service}"

    @property
    def number(self) -> int:
        """Which of the containers of its service it is; 0 where its labels do not tell."""
        said = self.labels.get(composelabels.NUMBER, "")
        return int(said) if said.isascii() and said.isdigit() else 0

    @property
    def old_compose(self) -> bool:
        """Whether Compose 1 made it: later ones note the image's id."""
        return _IMAGE_LABEL not in self.labels

    @property
    def invocation(self) -> Invocation | None:
        """How Compose was started that made it; None where its labels do not tell."""
        directory = self.labels.get(composelabels.DIRECTORY, "")
        files, env_files = (
            tuple(joined(directory, name) for name in self.labels.get(label, "").split(",") if name)
            for label in (composelabels.FILES, composelabels.ENV_FILES)
        )
        if not files or not all(path.startswith("/") for path in (*files, *env_files, directory)):
            return None
        return Invocation(files, env_files, directory)

    def restarts_with(self, service: str) -> bool:
        """Whether its Compose file says that it is restarted when that service is made anew (``restart: true``)."""
        entries = (each.split(":") for each in self.labels.get(_DEPENDS_LABEL, "").split(","))
        return any(entry[0] == service and entry[2:3] == ["true"] for entry in entries)


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image on the engine."""

    id: str
    digests: frozenset[str]
    """By which registries know it, as far as the engine remembers."""
    platform: Platform
    created: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]


def member_of(inspected: Mapping[str, Any]) -> Member | None:
    """A container as an inspection tells it; None for one that is no service of a project."""
    config = inspected.get("Config") or {}
    labels = config.get("Labels") or {}
    project, service = labels.get(composelabels.PROJECT), labels.get(composelabels.SERVICE)
    if not project or not service or SANDBOX in labels or labels.get(composelabels.ONEOFF, "False") == "True":
        return None
    mounts = (
        each for each in inspected.get("Mounts") or () if each.get("RW") and each.get("Type") in ("bind", "volume")
    )
    return Member(
        state=parse_state(inspected),
        project=project,
        service=service,
        image=str(config.get("Image") or ""),
        image_id=str(inspected.get("Image") or ""),
        labels=labels,
        mounts=tuple(Mount(str(each.get("Source") or ""), str(each.get("Name") or "")) for each in mounts),
    )


def image_of(inspected: Mapping[str, Any]) -> LocalImage:
    """An image as an inspection tells it."""
    config = inspected.get("Config") or {}
    return LocalImage(
        id=str(inspected["Id"]),
        digests=frozenset(filter(None, (digest_of(str(each)) for each in inspected.get("RepoDigests") or ()))),
        platform=Platform(
            str(inspected.get("Os") or "linux"),
            str(inspected.get("Architecture") or ""),
            str(inspected.get("Variant") or ""),
        ),
        created=str(inspected.get("Created") or ""),
        environment=environment_of(config.get("Env")),
        labels=config.get("Labels") or {},
    )


class Estate:
    """Asks an engine for containers and images. Every method raises UpkeeperError when it does not answer."""

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine

    async def targets(self) -> list[str]:
        """``project.service`` of all services that have a container, each after those of its project that it needs."""
        entries: list[Any] = await self.engine.call(
            lambda client: client.containers(all=True, filters={"label": composelabels.PROJECT})
        )
        needs: dict[str, set[str]] = {}
        for labels in (entry.get("Labels") or {} for entry in entries):
            service = labels.get(composelabels.SERVICE)
            if not service or SANDBOX in labels or labels.get(composelabels.ONEOFF, "False") == "True":
                continue
            project = labels[composelabels.PROJECT]
            others = (each.partition(":")[0] for each in labels.get(_DEPENDS_LABEL, "").split(","))
            needs[f"{project}.{service}"] = {f"{project}.{other}" for other in others if other}
        return in_order(needs)

    async def everything(self) -> tuple[list[Member], list[ContainerState]]:
        """The containers of projects, and the states of all that there are."""

        def inspect_all(client: "APIClient") -> list[Any]:
            return [found for entry in client.containers(all=True) if (found := _inspect(client, entry["Id"]))]

        inspected = await self.engine.call(inspect_all)
        members = [member for each in inspected if (member := member_of(each)) is not None]
        return members, [parse_state(each) for each in inspected]

    async def again(self, project: str, service: str) -> list[Member]:
        """The containers of a service now, by their numbers."""

        def look(client: "APIClient") -> list[Any]:
            asked = {"label": [f"{composelabels.PROJECT}={project}", f"{composelabels.SERVICE}={service}"]}
            entries = client.containers(all=True, filters=asked)
            return [found for entry in entries if (found := _inspect(client, entry["Id"]))]

        found = [member for each in await self.engine.call(look) if (member := member_of(each)) is not None]
        return sorted(found, key=lambda each: each.number)

    async def image(self, name: str) -> LocalImage | None:
        """The image of a name or id; None where the engine has none."""

        def look(client: "APIClient") -> Any:
            try:
                return client.inspect_image(name)
            except OSError as error:
                if not is_gone(error):
                    raise
                return None

        found = await self.engine.call(look)
        return None if found is None else image_of(found)

    async def insecure(self) -> frozenset[str]:
        """Registries that the engine talks to without TLS, by its own settings."""
        information: Any = await self.engine.call(lambda client: client.info())
        indexes = (information.get("RegistryConfig") or {}).get("IndexConfigs") or {}
        return frozenset(name for name, its in indexes.items() if not (its or {}).get("Secure", True))


def in_order(needs: Mapping[str, Set[str]]) -> list[str]:
    """Each after those that it needs, else by name. Pure. needs: by name; what is not among these is no matter."""
    found: list[str] = []

    def add(name: str, above: frozenset[str]) -> None:
        for other in sorted(needs[name] & needs.keys() - above):
            if other not in found:
                add(other, above | {other})
        if name not in found:
            found.append(name)

    for name in sorted(needs):
        if name not in found:
            add(name, frozenset({name}))
    return found


def _inspect(client: "APIClient", key: str) -> Any:
    """None for a container that vanished since it was listed."""
    try:
        return client.inspect_container(key)
    except OSError as error:
        if not is_gone(error):
            raise
        return None
