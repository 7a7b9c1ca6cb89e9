"""What a container leaves behind: how it ended, what its health check said, and its last log lines."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from exporter.base.redact import redacted, secrets_of
from exporter.docker.engine import DockerEngine
from remediator.model.evidence import Source

if TYPE_CHECKING:
    from docker import APIClient

LOG_LINES = 60
CHECKS = 3
"""The last runs of its health check; the engine keeps five."""


def container_sources(engine: DockerEngine, find: Callable[[], Awaitable[str]]) -> Sequence[Source]:
    """find: the container's id or name."""

    async def state() -> list[str]:
        key = await find()
        inspected = await engine.call(lambda client: client.inspect_container(key))
        return [redacted(line, _secrets(inspected)) for line in describe(inspected)]

    async def log() -> list[str]:
        key = await find()

        def read(client: "APIClient") -> tuple[Any, bytes]:
            return client.inspect_container(key), client.logs(key, tail=LOG_LINES, timestamps=True)

        inspected, content = await engine.call(read)
        return redacted(content.decode(errors="replace"), _secrets(inspected)).splitlines()

    return [Source("container", state), Source("container log", log)]


def describe(inspected: Any) -> Iterator[str]:
    """A container's state as the engine's API has it, in lines for people. Pure."""
    state = inspected.get("State") or {}
    name = str(inspected.get("Name", "")).lstrip("/")
    ended = "" if state.get("Running") else f", exit status {state.get('ExitCode')}"
    yield f"{name}: {state.get('Status', 'unknown')}{ended}"
    yield f"killed for lack of memory: {'yes' if state.get('OOMKilled') else 'no'}"
    yield f"restarted by Docker: {inspected.get('RestartCount', 0)} times"
    yield f"started {state.get('StartedAt')}, ended {state.get('FinishedAt')}"
    if state.get("Error"):
        yield f"error: {state['Error']}"
    yield f"image {(inspected.get('Config') or {}).get('Image')} ({inspected.get('Image')})"
    health = state.get("Health")
    if health:
        yield f"health: {health.get('Status')}, failed {health.get('FailingStreak', 0)} times in a row"
        for check in (health.get("Log") or [])[-CHECKS:]:
            yield f"health check at {check.get('Start')}, exit status {check.get('ExitCode')}:"
            yield from (f"  {line}" for line in str(check.get("Output", "")).splitlines())


def _secrets(inspected: Any) -> set[str]:
    """What is secret in its environment must not be seen in its log either."""
    return secrets_of((inspected.get("Config") or {}).get("Env") or [])
