"""The directory that a set is restored into: what may be there before, and how far it has come."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from exporter.backups.manifest import is_below
from exporter.base.replace_file import replace_file
from exporter.base.units import format_bytes
from remediator.files.linux import sync_file_system
from remediator.model.task import TaskError
from remediator.tasks.restoring.archive import remove
from remediator.tasks.restoring.parts import Part
from remediator.tasks.restoring.sets import ChosenSet

JOURNAL = ".upkeeper-restore.json"
"""In the directory until all is restored: then it is gone."""
_MAX_BYTES = 1024 * 1024
_MARGIN = 1.05
_RESERVE = 16 * 1024**2


class Journal(BaseModel):
    """What is being restored there, and what is done."""

    version: Literal[1] = 1
    backup: str
    set: str
    manifest: str
    """SHA-256 of its manifest."""
    parts: list[str]
    done: list[str] = []


@dataclass(frozen=True)
class Destination:
    """Its methods block, and raise OSError and TaskError."""

    path: Path

    def require_usable(self, wanted: Journal) -> Journal | None:
        """The journal of an interrupted restore of the same, which goes on. Raises TaskError where it must not."""
        if not self.path.is_absolute() or ".." in self.path.parts or "\0" in str(self.path):
            raise TaskError(f"{self.path} must be an absolute path without ..")
        if not os.path.lexists(self.path):
            if not self.path.parent.is_dir():
                raise TaskError(f"{self.path.parent} is not there: make it first")
            return None
        if self.path.is_symlink() or not self.path.is_dir():
            raise TaskError(f"{self.path} is there, and is no directory; choose another")
        found = self.journal()
        if found is not None:
            if found.model_copy(update={"done": []}) != wanted:
                what = f"{', '.join(found.parts)} of {found.set}"
                raise TaskError(f"{self.path} holds an unfinished restore of {what}; finish that, or remove it")
            return found
        if any(not each.name.startswith(f".{JOURNAL}.") for each in self.path.iterdir()):
            raise TaskError(f"{self.path} is not empty; name a directory that is not there yet")
        return None

    def require_room(self, needed: int) -> None:
        at = os.statvfs(self.path if self.path.is_dir() else self.path.parent)
        free = at.f_bavail * at.f_frsize
        wanted = int(needed * _MARGIN) + _RESERVE
        if free < wanted:
            raise TaskError(
                f"what is restored takes about {format_bytes(needed)}, and {self.path} has {format_bytes(free)} free; "
                f"choose a place with {format_bytes(wanted)}"
            )

    def begin(self, wanted: Journal) -> None:
        """Makes it, for its owner only, and notes what is being restored."""
        if self.require_usable(wanted) is None:
            self.path.mkdir(mode=0o700, exist_ok=True)
            self._write(wanted)

    def journal(self) -> Journal | None:
        """None where there is none. Raises TaskError where it is not ours."""
        try:
            with open(os.open(self.path / JOURNAL, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                return Journal.model_validate_json(file.read(_MAX_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValidationError, OSError):
            raise TaskError(f"{self.path / JOURNAL} cannot be made sense of; choose another directory") from None

    def note_done(self, part: str) -> None:
        journal = self.journal()
        if journal is None:
            raise TaskError(f"{self.path} is no longer the directory that is being filled")
        self._write(journal.model_copy(update={"done": [*journal.done, part]}))

    def finish(self) -> None:
        """All is there: it is brought to disk, and the journal goes."""
        sync_file_system(str(self.path))
        for draft in self.path.glob(f".{JOURNAL}.*"):  # of a kill while the journal was written
            draft.unlink(missing_ok=True)
        (self.path / JOURNAL).unlink(missing_ok=True)

    def clear(self, place: str, below: str | None = None) -> Path:
        """A place in it, a directory of which nothing is left of an earlier attempt but what is not ``below``."""
        at = self._made(place)
        if below is None:
            remove(at)
            at.mkdir(mode=0o700)
        else:
            remove(at / below)
        return at

    def free(self, place: str) -> Path:
        """A place in it where nothing is, for a file."""
        at = self._made(str(Path(place).parent)) / Path(place).name
        remove(at)
        return at

    def _made(self, place: str) -> Path:
        """Directories in it, for their owner only. Raises TaskError where that leads out of it."""
        if not is_below(place):
            raise TaskError(f"{place!r} is no place in a directory: the set was not made by Upkeeper")
        at = self.path
        for step in place.split("/"):
            at = at / step
            at.mkdir(mode=0o700, exist_ok=True)
        return at

    def _write(self, journal: Journal) -> None:
        replace_file(self.path / JOURNAL, journal.model_dump_json().encode(), mode=0o600, durable=True)


def wanted(series: str, chosen: ChosenSet, parts: Sequence[Part]) -> Journal:
    return Journal(backup=series, set=chosen.name, manifest=chosen.digest, parts=[str(part) for part in parts])
