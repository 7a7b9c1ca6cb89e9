"""That the machine was told to reboot, on disk before it is: nothing tells it a second time for the same plan."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.base.replace_file import replace_file
from remediator.model.task import TaskError


class Told(BaseModel):
    """boot: the start of the machine that was told. at: when its plan was made, Unix seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    boot: str
    at: float


def read(path: Path) -> Told | None:
    """Whom it was told last; None for nobody. Blocks. Raises TaskError."""
    try:
        return Told.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise TaskError(f"{path}, which tells of the last reboot, cannot be read: {error}") from None


def write(path: Path, told: Told) -> None:
    """Blocks. Raises TaskError."""
    try:
        replace_file(path, f"{told.model_dump_json()}\n".encode(), durable=True)
    except OSError as error:
        raise TaskError(f"cannot write {path}, so the machine is not rebooted: {error.strerror or error}") from error
