"""What runs made, as files on this machine."""

from collections.abc import Sequence
from pathlib import Path

from exporter.base.replace_file import replace_file
from remediator.api.operations import Operations
from remediator.model.errors import EXIT_FAILED, ClientError
from remediator.model.shapes.runs import ArtefactContent, RunView


async def save_all(client: Operations, run: RunView, directory: Path) -> Sequence[Path]:
    """Writes all that a run made into a directory, which is made if it is missing. Raises ClientError."""
    saved = []
    for one in run.get("artefacts", []):
        content = await client.artefact(one["id"])
        path = directory / _plain(content["name"])
        write(path, content["content"])
        saved.append(path)
    return saved


async def named(client: Operations, run: RunView, name: str) -> ArtefactContent:
    """The artefact of a run that has this name. Raises ClientError."""
    for one in run.get("artefacts", []):
        if one["name"] == name:
            return await client.artefact(one["id"])
    raise ClientError(f"run {run['id']} has made no {name}", EXIT_FAILED)


def write(path: Path, content: bytes) -> None:
    """The file whole or not at all, for its owner only. Raises ClientError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, mode=0o600)
    except OSError as error:
        raise ClientError(f"cannot write {path}: {error.strerror or error}", EXIT_FAILED) from error


def _plain(name: str) -> str:
    """The name of a file as the remediator, which may be another machine, has it: never a way out of the directory."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise ClientError(f"the remediator sends a file named {name!a}, which is no name of a file", EXIT_FAILED)
    return name
