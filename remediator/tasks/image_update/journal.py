"""How far an update has come, on disk before each step, so that whoever comes next finishes it or goes back."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from remediator.images import documents
from remediator.images.news import FOLDER
from remediator.model.task import TaskError
from remediator.tasks.image_update.overrides import Pin

Stage = Literal["changing", "going-back", "asked"]
"""``changing``: the new image is being put in place or watched. ``going-back``: the former one is. ``asked``: it is not
well, and a person must say which is to stay.
"""


class Journal(BaseModel):
    """An update that is not settled. Times are Unix seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    target: str
    container: str
    """The id of the one that was replaced, of several the first."""
    count: int = 1
    """How many containers the service has."""
    scales: dict[str, int] = {}
    """How many services have of which the user's files say another number."""
    former: str
    """What ran, for people."""
    former_id: str
    former_pin: Pin | None
    """What our file said of the service before."""
    new: Pin
    new_id: str
    stage: Stage = "changing"
    sharers: list[str] = []
    set: str = ""
    """That was made with the service at rest."""
    series: str = ""
    began: float
    changed: float | None = None
    """When the former container was stopped, or is about to be."""
    served: float | None = None
    """When the new one was first seen to be well: from then on its clients may have written."""
    restored: bool = False
    """Whether its data was put back: that is done once, for what is written after it must not be lost."""
    problem: str = ""
    alerts_before: list[str] | None = None
    """Fingerprints of what fired of the service before; null where nobody could be asked."""
    unasked: str = ""
    """Why nobody could."""


def path_of(state_dir: Path, project: str, service: str) -> Path:
    """Both are names that Compose allows, of letters, digits, dots, dashes and underscores."""
    return state_dir / FOLDER / project / f"{service}.update.json"


def read(path: Path) -> Journal | None:
    """None where none is under way. Blocks. Raises TaskError."""
    return documents.read(path, Journal.model_validate_json, ", which tells of an update under way,")


def write(path: Path, journal: Journal) -> None:
    """Blocks. Raises TaskError."""
    documents.write(path, journal)


def drop(path: Path) -> None:
    """The update is settled. Blocks. Raises TaskError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TaskError(f"cannot remove {path}: {error.strerror or error}") from error
