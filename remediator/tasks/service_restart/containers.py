"""The engine's containers as service-restart looks at them."""

from typing import TYPE_CHECKING, Any

from exporter.base.redact import redacted, secrets_of
from exporter.docker.engine import DockerEngine
from exporter.docker.objects import container_name
from exporter.docker.sandboxlabels import SANDBOX
from remediator.model.task import TaskError
from remediator.tasks.service_restart.container_state import ContainerState, parse_state
from remediator.tasks.service_restart.endings import explain

_LOG_LINES = 40

if TYPE_CHECKING:
    from docker import APIClient


class Containers:
    """Asks an engine. Every method raises UpkeeperError when it does not answer."""

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine

    async def find(self, key: str) -> ContainerState | None:
        """The container with this id, name or beginning of an id."""
        inspected = await self.engine.call(lambda client: _inspect(client, key))
        return None if inspected is None else parse_state(inspected)

    async def named(self, name: str) -> ContainerState:
        """The container of exactly this name. Raises TaskError if it does not exist."""
        state = await self.find(name)
        if state is None or state.name != name:  # the engine also finds containers by the beginning of an id
            raise TaskError(f"there is no container {name}")
        return state

    async def again(self, known: ContainerState) -> ContainerState:
        """The same container as it is now. Raises TaskError when it was removed."""
        state = await self.find(known.id)
        if state is None:
            raise TaskError(f"{known.name} was removed in the meantime")
        return state

    async def all(self) -> list[ContainerState]:
        """All of them, running or not."""

        def inspect_all(client: "APIClient") -> list[Any]:
            return [_inspect(client, entry["Id"]) for entry in client.containers(all=True)]

        return [parse_state(inspected) for inspected in await self.engine.call(inspect_all) if inspected is not None]

    async def why_it_dies(self, state: ContainerState) -> list[str]:
        """Sentences on how it ended and what it said last, without what is secret in its environment."""

        def read(client: "APIClient") -> tuple[Any, bytes]:
            return client.inspect_container(state.id), client.logs(state.id, tail=_LOG_LINES)

        inspected, content = await self.engine.call(read)
        now = parse_state(inspected)
        secrets = secrets_of((inspected.get("Config") or {}).get("Env") or [])
        lines = redacted(content.decode(errors="replace"), secrets).splitlines()
        return explain(lines, now.exit_code, oom=now.oom_killed, memory_limit=now.memory_limit, error=now.error)

    async def labels(self) -> dict[str, dict[str, str]]:
        """The labels of each container by its name, but of those of sandboxes."""
        entries: list[Any] = await self.engine.call(lambda client: client.containers(all=True))
        found = {container_name(entry): entry.get("Labels") or {} for entry in entries}
        return {name: labels for name, labels in found.items() if SANDBOX not in labels}


def _inspect(client: "APIClient", key: str) -> Any:
    """None for a container that does not exist."""
    from docker.errors import NotFound

    try:
        return client.inspect_container(key)
    except NotFound:
        return None
