"""What is wrong with the configuration of a stack: its Compose files, its .env files, its scripts and secrets.

Reading is in ``gather``; every check is a pure function of what was read. No finding holds a value that was read, only
names, places and numbers, since a value may be a secret.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.base.text import printable

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""info: could be better; warning: will hurt one day; critical: hurts now, or lets others in."""

Kind = Literal["project", "env", "text", "mode"]
"""What a check looks at: Compose projects, .env files, lines of text, or the modes of files."""


_WORD = re.compile(r"[A-Za-z0-9_./@-]{1,100}")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1; a line of None means the file as a whole."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def printable(self) -> "Place":
        """The same, of a file whose name can be printed."""
        return Place(printable(self.file), self.line)


@dataclass(frozen=True, slots=True)
class Group:
    """What findings say together, so that many are told in one line."""

    message: str
    """A sentence without its full stop. ``{count}`` stands for how many things it is about, ``{names}`` for which, and
    ``{places}`` for the findings.
    """
    total: int = 0
    """How many were looked at; 0 where that says nothing."""
    few: int = 3
    """How many narrower groups within it are told one by one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    check: str
    severity: Severity
    subject: str
    """What it is about: the name of a service or variable, or a file."""
    place: Place
    message: str
    """What is wrong, as a sentence without its full stop."""
    remedy: str
    """What to do about it, likewise."""
    groups: tuple[Group, ...] = ()
    """What it belongs to, from narrow to wide. See exporter.findings.fold."""
    project: str = ""
    """The first file of the project that it is in; empty for none."""
    parts: tuple["Finding", ...] = ()
    """The findings that it stands for, if it is several told in one line."""

    @property
    def places(self) -> Sequence[Place]:
        """Every place that it is about."""
        return list(dict.fromkeys(part.place for part in self.parts)) or [self.place]


def word(name: object) -> str:
    """A name out of a file as a message shows it: as it is if it is a plain word, else in quotes and not at length."""
    text = str(name)
    if _WORD.fullmatch(text):
        return text
    quoted = ascii(text)
    return quoted if len(quoted) <= 60 else f"{quoted[:57]}..."
