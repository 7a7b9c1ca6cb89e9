"""The corpus of configs: good ones, and bad ones that each say at their end which problems must be found in them.

Such a line is ``#! LINE | KEY | part of the message or the hint``; LINE and KEY may be a dash for none.
"""

from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
GOOD = sorted((CORPUS / "good").glob("*.yml"))
BAD = sorted((CORPUS / "bad").glob("*.yml"))

SECRET = "hunter2-hunter2"
ENV = {"SECRET": f"{SECRET} and more", "WORKERS": "3", "HOST": "127.0.0.1", "EMPTY": ""}
"""The environment in which the corpus is read."""


@dataclass(frozen=True)
class Expected:
    """A problem that must be found."""

    line: int | None
    key: str
    fragment: str


def expected(path: Path) -> list[Expected]:
    """The problems that a bad config says must be found in it."""
    found = []
    for line in path.read_bytes().decode("latin-1").splitlines():
        if line.startswith("#! "):
            number, key, fragment = line.removeprefix("#! ").split(" | ", 2)
            found.append(Expected(None if number == "-" else int(number), "" if key == "-" else key, fragment))
    return found
