"""What was found on this machine without any config, for ``upkeeper config show`` and the banner of ``upkeeper up``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.base.text import printable
from exporter.collectors.filesystem import select_mounts
from exporter.docker.containers import ListedContainer, Lister
from exporter.docker.engine import DockerEngine, DockerUnavailable, EngineRefused
from exporter.host.mounts import MOUNTINFO, parse_mountinfo
from exporter.inventory.inventory import Inventory
from exporter.inventory.services import Service
from exporter.probing.labels import labelled_services


@dataclass(frozen=True, slots=True)
class FoundFilesystem:
    """A file system that is measured."""

    mountpoint: str
    device: str
    fstype: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What is to be watched in addition to what the config names."""

    filesystems: Sequence[FoundFilesystem] = ()
    docker_version: str | None = None
    """Of the Docker engine; None when none answers."""
    docker_problem: str = ""
    """Why no engine answers, in one line; empty when one does."""
    containers: Sequence[ListedContainer] = ()
    services: Sequence[Service] = ()
    """Declared by container labels."""
    label_problems: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with the labels of a container, by its name."""

    @property
    def health_checked(self) -> Sequence[ListedContainer]:
        """Containers with a health check of their own."""
        return [container for container in self.containers if container.health != "none"]


async def discover(inventory: Inventory, engine: DockerEngine) -> Discovery:
    """Looks once, by the settings of the inventory. Takes as long as the engine's timeout at most."""
    mounts = select_mounts(parse_mountinfo(MOUNTINFO.read_bytes()), inventory.filesystems)
    filesystems = [
        FoundFilesystem(printable(mount.mountpoint), printable(mount.device), mount.fstype) for mount in mounts
    ]
    try:
        version = await engine.call(lambda client: str(client.version()["Version"]))
        containers = await engine.call(Lister().read)
    except (DockerUnavailable, EngineRefused) as error:  # refused, as by a proxy
        return Discovery(filesystems, docker_problem=str(error))
    services, problems = labelled_services(containers)
    configured = {service.name for service in inventory.services}
    return Discovery(
        filesystems=filesystems,
        docker_version=version,
        containers=containers,
        services=[service for service in services if service.name not in configured],
        label_problems=problems,
    )
