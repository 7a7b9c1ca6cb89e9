"""The client of the server's own image, in a one-off container beside the one that serves, in its network."""

import ipaddress
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.docker.engine import DockerEngine
from exporter.inventory.postgres import PostgresServer
from remediator.model.task import TaskError
from remediator.tasks.backup.contained import Contained

if TYPE_CHECKING:
    from docker import APIClient

_LONG = 86400.0
_INSIDE = 5432
_FILES = {"PGSSLROOTCERT": "sslrootcert", "PGSSLCERT": "sslcert", "PGSSLKEY": "sslkey", "PGPASSFILE": "passfile"}


@dataclass(frozen=True)
class ContainedClient:
    """Programs of the image of a container that serves PostgreSQL."""

    api: "APIClient"
    image: str
    container: str
    """Its id: the one-off container has its network."""
    port: int
    """On which it serves in there."""
    version: str
    """Of the server, whose image it is."""

    def program(self, name: str) -> str:
        return name

    def run(self, command: Sequence[str], login: Mapping[str, str], stop: threading.Event) -> Contained:
        """login: environment of libpq, as the server is reached from here. Raises TaskError, OSError."""
        return Contained(self.api, self.image, command, f"container:{self.container}", stop, _inside(login, self.port))


async def contained_client(
    engine: DockerEngine, server: PostgresServer, name: str | None, version: str
) -> ContainedClient | None:
    """That of the container of this name, or else of the one that serves where the server is looked for; None if none.

    Raises UpkeeperError where the engine does not answer, or there is no running container of that name.
    """
    listed: Sequence[Mapping[str, Any]] = await engine.call(lambda client: client.containers())
    found = serving(listed, server.host, server.port, name)
    if found is None:
        if name is not None:
            raise TaskError(f"no container {name} runs, which make.postgres names for the server {server.name}")
        return None
    container, port = found
    api = await engine.patient(_LONG, 8).call(lambda client: client)
    return ContainedClient(api, str(container["ImageID"]), str(container["Id"]), port, version)


def serving(
    containers: Sequence[Mapping[str, Any]], host: str, port: int, name: str | None
) -> tuple[Mapping[str, Any], int] | None:
    """Which running container serves at a host and port, and its port inside. Pure.

    By name; else it publishes that port on this machine, has that address, or that name. More than one: none is known.
    """
    found = []
    for each in containers:
        names = {one.lstrip("/") for one in each.get("Names") or []}
        published = [one for one in each.get("Ports") or [] if one.get("PublicPort") == port and one["Type"] == "tcp"]
        networks = ((each.get("NetworkSettings") or {}).get("Networks") or {}).values()
        addresses = {one.get("IPAddress") for one in networks} - {"", None}
        if name is not None:
            if name in names:
                inside = published[0]["PrivatePort"] if published else _INSIDE if "host" not in _modes(each) else port
                found.append((each, int(inside)))
        elif _is_here(host) and published:
            found.append((each, int(published[0]["PrivatePort"])))
        elif host in addresses or host in names:
            found.append((each, port))
    return found[0] if len(found) == 1 else None


def _modes(container: Mapping[str, Any]) -> set[str]:
    return {str((container.get("HostConfig") or {}).get("NetworkMode", ""))}


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _inside(login: Mapping[str, str], port: int) -> dict[str, str]:
    """How one logs in from within the server's own network. Raises TaskError where that needs files of this machine."""
    for variable, key in _FILES.items():
        if variable in login:
            raise TaskError(
                f"the client in a container cannot use {key}, a file of this machine: use password_file, "
                "or install a client here"
            )
    rest = {key: value for key, value in login.items() if key not in ("PGHOSTADDR", "PGSSLMODE")}
    return {**rest, "PGHOST": "127.0.0.1", "PGPORT": str(port), "LC_ALL": "C", "LANGUAGE": "C"}
