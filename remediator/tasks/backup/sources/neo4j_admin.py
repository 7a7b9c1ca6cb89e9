"""``neo4j-admin`` of a server's own image, in a one-off container, on the data of one that stands still."""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.docker.engine import DockerEngine, EngineRefused, is_gone
from exporter.neo4j.store_sizes import store_sizes
from remediator.model.task import TaskError
from remediator.tasks.backup.contained import Contained
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.worker import in_thread

if TYPE_CHECKING:
    from docker import APIClient

PROGRAM = "neo4j-admin"
_SYSTEM = "system"


@dataclass(frozen=True)
class Stored:
    """A container that serves Neo4j, and where its data is. data: on this machine; inside: in the container."""

    id: str
    name: str
    image: str
    data: Path
    inside: str
    running: bool
    user: str
    """Who the data belongs to, as UID:GID."""

    def databases(self) -> list[str]:
        """The names of those that it keeps, but ``system``. Blocks. Raises OSError."""
        with os.scandir(self.data / "databases") as entries:
            return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False) and each.name != _SYSTEM)

    def sizes(self) -> Mapping[str, int]:
        """Bytes of each store. Blocks. Raises OSError."""
        return {name: size for name, (size, _) in store_sizes(self.data).items()}


async def stored(engine: DockerEngine, container: str) -> Stored:
    """Raises UpkeeperError where there is no such container, or its data is not to be seen from here."""
    if engine.socket is None:
        raise TaskError("the engine is on another machine, and Neo4j's data cannot be seen from here: back it up there")
    try:
        found: Mapping[str, Any] = await engine.call(lambda client: client.inspect_container(container))
    except EngineRefused as error:
        if is_gone(error):
            raise TaskError(f"there is no container {container}; correct it in make.neo4j[].dump") from None
        raise
    state = found["State"]
    if state.get("Paused"):
        raise TaskError(f"the container {container} is paused: let it run, or stop it")
    return await in_thread(lambda _: _seen(found, container))


def _seen(found: Mapping[str, Any], container: str) -> Stored:
    for mount in found["Mounts"]:
        databases = Path(str(mount.get("Source", "")), "databases")
        try:
            at = databases.stat()
        except OSError:
            continue
        return Stored(
            found["Id"], container, found["Image"], databases.parent, str(mount["Destination"]),
            bool(found["State"]["Running"]), f"{at.st_uid}:{at.st_gid}",
        )  # fmt: skip
    raise TaskError(
        f"no volume of {container} has Neo4j's databases, or they cannot be read: it needs root, and the server's data "
        "directory in a volume"
    )


@dataclass(frozen=True)
class Admin:
    """Runs it. Its methods block, and raise TaskError, Stopped, OSError."""

    api: "APIClient"
    stored: Stored

    def begin(
        self,
        arguments: Sequence[str],
        stop: threading.Event,
        given: Iterable[bytes] | None = None,
        volume: str | None = None,
    ) -> Contained:
        """volume: of the engine, in which it works instead of on the server's own data."""
        one = self.stored
        lent = [one.id] if volume is None else []
        binds = [] if volume is None else [f"{volume}:{one.inside}"]
        try:
            return Contained(
                self.api, one.image, [PROGRAM, *arguments], "none", stop, {},
                user=one.user, volumes_from=lent, binds=binds, given=given,
            )  # fmt: skip
        except OSError as error:
            if "executable file not found" in str(error):
                raise TaskError(f"the image of {one.name} has no {PROGRAM}: leave dump out of make:") from None
            raise

    def run(
        self,
        arguments: Sequence[str],
        stop: threading.Event,
        given: Iterable[bytes] | None = None,
        volume: str | None = None,
    ) -> str:
        """What it wrote to its standard output. Raises TaskError where it did not succeed."""
        with self.begin(arguments, stop, given, volume) as running:
            said = b"".join(iter(lambda: running.read(CHUNK), b""))
            status, lines = running.end()
        require_success(arguments, status, [*said.decode("utf-8", "replace").splitlines(), *lines])
        return said.decode("utf-8", "replace")


def require_success(arguments: Sequence[str], status: int, said: Sequence[str]) -> None:
    """Raises TaskError with the reason. Pure."""
    if not status:
        return
    what = " ".join([PROGRAM, *arguments[:2]])
    if any("Active logical log detected" in line for line in said):
        raise TaskError(
            f"{what}: the server was not stopped in order, so that its store has to be recovered; let it run once"
        )
    telling = [line for line in said if line.strip() and not line.startswith(("Files:", "Done:", "Run with", "at "))]
    raise TaskError(f"{what}: {telling[-1].strip()[:300] if telling else f'exit status {status}'}")
