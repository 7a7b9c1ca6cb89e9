"""What a kind of source does: says how large its copy may be, and makes it."""

from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from exporter.backups.manifest import Member, SetFile
from remediator.tasks.backup.into import Into


@dataclass(frozen=True)
class Copied:
    """A member that is on disk, with its files in the order of the member."""

    files: list[SetFile]
    facts: dict[str, JsonValue] = field(default_factory=dict)
    remark: str = ""
    """One line for people, where something about it is worth one."""

    def member(self, kind: str, name: str) -> Member:
        return Member(kind, name, [file.path for file in self.files], self.facts)


class Source(Protocol):
    """One thing that is backed up."""

    @property
    def kind(self) -> str:
        """The key below ``make:``."""
        ...

    @property
    def name(self) -> str: ...

    def __str__(self) -> str:
        """For people, what it is a copy of."""
        ...

    async def size(self) -> int | None:
        """Bytes that its copy takes at most, as far as can be told cheaply; None where not. Raises UpkeeperError."""
        ...

    async def copy(self, into: Into) -> Copied:
        """Writes it into a set, anew where something was left there. Raises UpkeeperError, OSError."""
        ...
