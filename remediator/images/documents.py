"""What is noted of images: a JSON document in a file of the state directory, written whole or not at all. Blocks."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from exporter.base.replace_file import replace_file
from remediator.model.task import TaskError

M = TypeVar("M", bound=BaseModel)


def read(path: Path, parse: Callable[[bytes], M], about: str = "") -> M | None:
    """None where there is none. about: for people, what it tells of. Raises TaskError."""
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise TaskError(f"{path}{about} cannot be read: {error}") from None


def write(path: Path, document: BaseModel) -> None:
    """Raises TaskError."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        replace_file(path, f"{document.model_dump_json(indent=1)}\n".encode(), durable=True)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror or error}") from error
