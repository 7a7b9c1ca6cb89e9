"""Where a command's output goes: tables and colour on a terminal, plain text in a pipe, or one JSON document."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from upkeeper.screens.text import STYLES, safe

_LEAST_WIDE = 16
"""Characters of a column of longer text, however narrow the terminal is."""


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

    def rich(self) -> Text:
        return Text(safe(self.text), style=self.style)


def state(word: str | None) -> Cell:
    """A state, outcome or verdict in its colour."""
    return Cell(word or "-", STYLES.get(word or "", ""))


def console(stream: TextIO) -> Console:
    """A console that reads no markup: what it is given is shown as it is. NO_COLOR and TERM are respected by rich."""
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=False)


class Screen:
    """One command's output. With ``as_json`` only ``document`` writes to stdout; lines and tables then go nowhere."""

    def __init__(self, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = console(out or sys.stdout)
        self.err = console(err or sys.stderr)

    def document(self, value: object) -> None:
        """The one JSON document; nothing unless JSON was asked for."""
        if self.as_json:
            self.out.file.write(json.dumps(value, indent=2) + "\n")

    def line(self, *parts: str | Cell) -> None:
        """A line for people on stdout."""
        if not self.as_json:
            self._write(self.out, parts)

    def note(self, *parts: str | Cell) -> None:
        """A line for people on stderr: progress, and what is not the answer itself."""
        self._write(self.err, parts)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], empty: str = "") -> None:
        """A table, or the sentence ``empty`` when there are no rows."""
        if self.as_json:
            return
        if not rows:
            self.line(empty)
            return
        cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
        if self.out.is_terminal:
            self.out.print(_rich_table(columns, cells))
        else:
            for text in _plain_table(columns, cells):
                self.out.file.write(text + "\n")

    @staticmethod
    def _write(target: Console, parts: Sequence[str | Cell]) -> None:
        cells = [part if isinstance(part, Cell) else Cell(part) for part in parts]
        if target.is_terminal:
            # The terminal wraps it by itself, so that a line that is copied is still one.
            target.print(Text.assemble(*(cell.rich() for cell in cells)), soft_wrap=True)
        else:
            target.file.write("".join(safe(cell.text) for cell in cells) + "\n")
            target.file.flush()  # whoever reads a pipe or a log file wants it now


def _rich_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold underline")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        least = _LEAST_WIDE if column.wide else None
        table.add_column(column.title, justify=justify, overflow="fold", no_wrap=not column.wide, min_width=least)
    for row in rows:
        table.add_row(*(cell.rich() for cell in row))
    return table


def _plain_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Columns two spaces apart, as wide as what is in them: a pipe has no width, and nothing is cut."""
    lines = [[column.title.upper() for column in columns], *([safe(cell.text) for cell in row] for row in rows)]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(columns))]
    return ["  ".join(_pad(*part) for part in zip(line, widths, columns, strict=True)).rstrip() for line in lines]


def _pad(text: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(text))
    return space + text if column.right else text + space
