"""What running containers may do to the host, by the engine's own word, and how old their images are.

Of Compose projects the checks of the configuration tell more (see ``files``): what they tell is not told twice.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from exporter.base.errors import UpkeeperError
from exporter.docker.engine import DockerEngine
from remediator.security.finding import Found, Risk

if TYPE_CHECKING:
    from docker import APIClient

DAY = 86400.0
SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")


def risks_of(inspected: Mapping[str, Any]) -> Iterator[Risk]:
    """Of one container. Pure."""
    name = str(inspected.get("Name", "")).lstrip("/")
    host = inspected.get("HostConfig") or {}
    if host.get("Privileged"):
        yield Risk(f"container-privileged:{name}", "critical", "containers",
                   f"container {name} is privileged, that is, root on this host",
                   "give it only the capability that it needs")  # fmt: skip
    for mount in inspected.get("Mounts") or []:
        source = str(mount.get("Source", ""))
        if source.endswith(SOCKETS):
            yield Risk(f"container-socket:{name}", "warning", "containers",
                       f"container {name} has the engine's socket, so whoever is in it is root on this host",
                       "put a proxy in between that lets through only what it needs")  # fmt: skip
    if host.get("PidMode") == "host":
        yield Risk(f"container-pid:{name}", "warning", "containers",
                   f"container {name} sees and signals the host's processes", "remove `pid: host`")  # fmt: skip


def old_image(reference: str, created: str, now: float, most: float) -> Risk | None:
    """The finding on an image that was built longer ago than it may be; most, in seconds. Pure."""
    try:
        built = datetime.fromisoformat(created).timestamp()
    except ValueError:
        return None
    age = now - built
    if age <= most or built <= 0:  # images that are built reproducibly say 1970
        return None
    return Risk(f"image-age:{reference}", "warning" if age > 2 * most else "info", "images",
                f"image {reference} was built {int(age / DAY)} days ago, so what was mended since is not in it",
                "pull or build it anew, and see whether it is still kept up")  # fmt: skip


async def look(engine: DockerEngine, now: float, image_max_age: float) -> tuple[Found, Sequence[str]]:
    """What was found, and the images that are in use, each with the name that it was started by."""
    try:
        async with asyncio.timeout(30):
            containers, images = await engine.call(_read)
    except (UpkeeperError, TimeoutError) as error:
        return Found(unknown=[f"containers and images are not known: {error or 'no answer in time'}"]), []
    risks = [risk for inspected in containers for risk in risks_of(inspected)]
    risks += [risk for name, made in images.items() if (risk := old_image(name, made, now, image_max_age))]
    looked = [f"{len(containers)} running containers", f"{len(images)} images"]
    return Found(risks, looked=looked), list(images)


def _read(client: "APIClient") -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    containers = [client.inspect_container(one["Id"]) for one in client.containers()]
    images = {}
    for inspected in containers:
        name = str((inspected.get("Config") or {}).get("Image") or inspected.get("Image"))
        if name not in images:
            images[name] = str(client.inspect_image(inspected["Image"]).get("Created", ""))
    return containers, images
