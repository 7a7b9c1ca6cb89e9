"""What lines and tables on a screen are made of."""

from dataclasses import dataclass

from upkeeper.screens.text import STYLES


@dataclass(frozen=True)
class Column:
    """A column of a table. right: figures, aligned to the right. wide: its text may take several lines."""

    title: str
    right: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Cell:
    """A piece of text with a rich style. The text may be anything: it is escaped when it is shown."""

    text: str
    style: str = ""


def state(word: str | None) -> Cell:
    """A state, outcome or verdict in its colour."""
    return Cell(word or "-", STYLES.get(word or "", ""))
