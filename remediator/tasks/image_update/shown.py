"""What was shown of a new image before its update: noted, so that no update goes on without it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from exporter.base.replace_file import replace_file
from remediator.images.news import FOLDER
from remediator.model.task import TaskError

What = Literal["rehearsed", "examined"]
"""On a copy of its data in a sandbox; its signature and its known vulnerabilities."""


class _Shown(BaseModel):
    image: str
    shown: str
    rule: str = ""


def _path(state_dir: Path, project: str, service: str, what: What) -> Path:
    return state_dir / FOLDER / project / f"{service}.{what}.json"


def is_shown(state_dir: Path, project: str, service: str, what: What, image: str, rule: str = "") -> bool:
    """Whether it was of exactly this image, by its name with its digest, and by this rule. What cannot be read was not.
    Blocks.
    """
    try:
        noted = _Shown.model_validate_json(_path(state_dir, project, service, what).read_bytes())
    except (OSError, ValidationError):
        return False
    return (noted.image, noted.rule) == (image, rule)


def note(state_dir: Path, project: str, service: str, what: What, image: str, shown: str, rule: str = "") -> None:
    """Notes it. shown: what was, in words. Blocks. Raises TaskError."""
    path = _path(state_dir, project, service, what)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = _Shown(image=image, shown=shown, rule=rule).model_dump_json(indent=1)
        replace_file(path, f"{text}\n".encode(), durable=True)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror or error}") from error
