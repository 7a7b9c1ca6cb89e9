"""What is wrong with a config, in words: which file, line and key, what is there, and what would be right. Pure."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from exporter.base.errors import UpkeeperError

if TYPE_CHECKING:
    from exporter.configfile.source import KeyPath, Source


@dataclass(frozen=True)
class Problem:
    """One mistake in a config. line and column count from 1; None where the mistake is of the file as a whole."""

    file: str
    line: int | None
    column: int | None
    key: str
    """Where in the config: ``services[0].probes[1].url``; empty for the file as a whole."""
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        parts = [where, "warning" if self.severity == "warning" else "", self.key, self.message]
        return ": ".join(part for part in parts if part) + (f" ({self.hint})" if self.hint else "")


class ConfigError(UpkeeperError):
    """A config that cannot be used. ``problems`` holds every mistake, in the order of the file.

    source: of a file that could be read as YAML, what it says.
    """

    def __init__(self, problems: list[Problem], source: "Source | None" = None) -> None:
        self.problems = in_order(problems)
        self.source = source
        super().__init__("\n".join(str(problem) for problem in self.problems))


def in_one_line(error: Exception) -> str:
    """Its message for a line of the log, on a terminal too, where a line break would be written out as ``\\n``."""
    return "; ".join(str(error).splitlines())


def in_order(problems: list[Problem]) -> list[Problem]:
    """The problems in the order of the file."""
    return sorted(problems, key=lambda one: (one.line or 0, one.column or 0, one.key))


def dotted(path: "KeyPath") -> str:
    """A path as it is shown: ``services[0].url``. A key that is no plain word stands in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[\w-]+", part, re.ASCII) else f'"{ascii(part)[1:-1]}"'
            text += f".{word}" if text else word
    return text
