"""Which indexes were rebuilt, and with which versions: on disk, as no catalog says when an index was built.

So a run that ended half-way is gone on with, and not begun anew.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from exporter.base.replace_file import replace_file
from remediator.model.task import TaskError
from remediator.tasks.postgres_debts.collations import Rebuilt


class _Entry(BaseModel):
    database: str
    index: int
    file: int
    versions: dict[int, str]


class _Note(BaseModel):
    version: Literal[1] = 1
    rebuilt: list[_Entry] = []


class RebuiltNote:
    """Of one server. path: None keeps it in memory. Its methods block."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept = _Note()

    def read(self) -> Rebuilt:
        """Raises TaskError where it cannot be read."""
        return {(one.database, one.index, one.file): one.versions for one in self._note().rebuilt}

    def add(self, database: str, index: int, file: int, versions: dict[int, str]) -> None:
        """Notes what was done. Raises OSError and TaskError."""
        note = self._note()
        others = [one for one in note.rebuilt if (one.database, one.index) != (database, index)]
        self._write(_Note(rebuilt=[*others, _Entry(database=database, index=index, file=file, versions=versions)]))

    def forget(self, database: str) -> None:
        """Nothing of this database is outstanding any more. Raises OSError and TaskError."""
        note = self._note()
        kept = [one for one in note.rebuilt if one.database != database]
        if len(kept) != len(note.rebuilt):
            self._write(_Note(rebuilt=kept))

    def _note(self) -> _Note:
        if self._path is None:
            return self._kept
        try:
            return _Note.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Note()
        except (OSError, ValidationError) as error:
            raise TaskError(f"{self._path}, which says which indexes were rebuilt, cannot be read: {error}") from None

    def _write(self, note: _Note) -> None:
        if self._path is None:
            self._kept = note
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self._path, note.model_dump_json(indent=1).encode(), durable=True)


class RebuiltNotes:
    """Of each server, the same for as long as the process runs. Without a state directory they are in memory only."""

    def __init__(self) -> None:
        self._notes: dict[tuple[Path | None, str], RebuiltNote] = {}

    def of(self, state_dir: Path | None, server: str) -> RebuiltNote:
        path = None if state_dir is None else state_dir / "rebuilt" / f"{server}.json"
        return self._notes.setdefault((state_dir, server), RebuiltNote(path))
