"""What is noted in a set that is being made, so that a run that was interrupted goes on or is cleaned up after."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from exporter.backups.manifest import Member, SetFile
from exporter.base.replace_file import replace_file

JOURNAL = ".upkeeper-journal.json"
_MAX_BYTES = 256 * 1024**2


class Owner(BaseModel):
    """Who makes a set: two of them never make sets of one series at once."""

    model_config = ConfigDict(frozen=True)

    host: str
    state: str
    """The state directory, whose guards let one run of a series run at a time."""


class Made(BaseModel):
    """A member that is on disk."""

    kind: str
    name: str
    files: list[tuple[str, int, str, str]]
    """Path, bytes, SHA-256 and source of each."""
    facts: dict[str, JsonValue]

    @classmethod
    def of(cls, member: Member, files: list[SetFile]) -> "Made":
        rows = [(each.path, each.bytes, each.sha256, each.source) for each in files]
        return cls(kind=member.kind, name=member.name, files=rows, facts=dict(member.facts))

    def member(self) -> Member:
        return Member(self.kind, self.name, [path for path, *_ in self.files], self.facts)

    def set_files(self) -> list[SetFile]:
        return [SetFile(*row) for row in self.files]


class Journal(BaseModel):
    """The state of a set that is being made."""

    version: Literal[1] = 1
    backup: str
    owner: Owner
    started: float
    made: dict[str, Made] = {}
    """By the members' keys."""
    failed: dict[str, str] = {}
    """Why a member could not be made, by its key."""


def read(partial: Path) -> Journal | None:
    """The journal of a partial set; None where there is none that can be made sense of. Blocks. Raises OSError."""
    try:
        with (partial / JOURNAL).open("rb") as file:
            return Journal.model_validate_json(file.read(_MAX_BYTES))
    except (FileNotFoundError, ValidationError):
        return None


def write(partial: Path, journal: Journal) -> None:
    """Puts the journal in place of the former one, durably. Blocks. Raises OSError."""
    replace_file(partial / JOURNAL, journal.model_dump_json().encode(), durable=True)
