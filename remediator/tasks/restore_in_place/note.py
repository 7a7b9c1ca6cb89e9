"""How far a restore in place has come: on disk before each step, so that an interrupted run goes on."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from exporter.base.replace_file import replace_file
from remediator.model.task import TaskError


class Note(BaseModel):
    """Of one series."""

    version: Literal[1] = 1
    manifest: str
    """SHA-256 of the manifest of the set, all of whose asked for parts were found to be whole."""
    copy_set: str
    """Name of the set that what was there is copied to."""
    parts: list[str]
    ready: dict[str, dict[str, int]] = {}
    """By part, the places that lie ready with their inodes; none for databases."""
    replaced: list[str] = []
    failed: str = ""
    """Why a part could not be replaced: then the others are left alone."""


def path_of(state_dir: Path, series: str) -> Path:
    return state_dir / "restores" / f"{series}.json"


def read(path: Path) -> Note | None:
    """None where there is none. Blocks. Raises TaskError."""
    try:
        return Note.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise TaskError(f"{path}, which says how far a restore has come, cannot be read: {error}") from None


def write(path: Path, note: Note) -> None:
    """Blocks. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, note.model_dump_json(indent=1).encode(), durable=True)
