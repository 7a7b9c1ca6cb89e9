"""Sandboxes that there are on an engine, and their end: also of those that a crash left behind."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from exporter.base.errors import UpkeeperError
from exporter.docker.engine import DockerEngine, is_gone
from exporter.docker.sandboxlabels import SANDBOX
from remediator.sandbox.labels import Piece, Standing, standing

if TYPE_CHECKING:
    from docker import APIClient

_REMOVE_SECONDS = 60.0


class NotEnded(UpkeeperError):
    """Something of a sandbox could not be removed. The message names it, and why."""


async def list_sandboxes(engine: DockerEngine) -> list[Standing]:
    """All that there are, by name. Raises DockerUnavailable, EngineRefused."""
    return await engine.call(_listed)


async def end(engine: DockerEngine, sandboxes: Iterable[Standing]) -> None:
    """Removes these, each as far as it can be. Raises NotEnded, after all were tried, and DockerUnavailable."""
    failed: list[str] = []
    for one in sandboxes:
        for piece in one.pieces:
            try:
                await engine.patient(_REMOVE_SECONDS).call(lambda client, piece=piece: _remove(client, piece))  # type: ignore[misc]
            except UpkeeperError as error:
                failed.append(f"{piece.kind} {piece.name}: {error}")
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise NotEnded(f"cannot remove {failed[0]}{more}; try again: upkeeper sandbox clean")


def _listed(client: "APIClient") -> list[Standing]:
    asked = {"label": SANDBOX}
    volumes: Any = client.volumes(filters=asked).get("Volumes") or []
    return standing(client.containers(all=True, filters=asked), client.networks(filters=asked), volumes)


def _remove(client: "APIClient", piece: Piece) -> None:
    """Removes one object. One that is gone is no matter."""
    try:
        if piece.kind == "container":
            client.remove_container(piece.id, force=True, v=True)  # with the volumes that its image asks for
        elif piece.kind == "network":
            client.remove_network(piece.id)
        else:
            client.remove_volume(piece.id, force=True)
    except OSError as error:  # the library's APIError is one
        if not is_gone(error):
            raise
