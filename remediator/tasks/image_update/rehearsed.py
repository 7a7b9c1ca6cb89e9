"""Which new image of a service was rehearsed and went well: noted, so that an update never goes on without it."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

from exporter.base.replace_file import replace_file
from remediator.model.task import TaskError
from remediator.tasks.image_update.overrides import FOLDER


class _Rehearsed(BaseModel):
    image: str
    shown: str


def _path(state_dir: Path, project: str, service: str) -> Path:
    return state_dir / FOLDER / project / f"{service}.rehearsed.json"


def is_rehearsed(state_dir: Path, project: str, service: str, image: str) -> bool:
    """Whether exactly this image was, by its name with its digest. What cannot be read was not. Blocks."""
    try:
        return _Rehearsed.model_validate_json(_path(state_dir, project, service).read_bytes()).image == image
    except (OSError, ValidationError):
        return False


def note(state_dir: Path, project: str, service: str, image: str, shown: str) -> None:
    """Notes it. shown: what was, in words. Blocks. Raises TaskError."""
    path = _path(state_dir, project, service)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = _Rehearsed(image=image, shown=shown).model_dump_json(indent=1)
        replace_file(path, f"{text}\n".encode(), durable=True)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror or error}") from error
