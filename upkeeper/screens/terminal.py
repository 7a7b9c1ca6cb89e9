"""What a screen draws on a terminal, with rich."""

from collections.abc import Iterator, Sequence
from typing import Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.base.visible import visible
from upkeeper.screens.cells import Cell, Column

_GAP = 2
"""Spaces between columns."""
_LEAST_WIDE = 16
"""Characters of a column of longer text, however narrow the terminal is."""


def console(stream: TextIO) -> Console:
    """A console that reads no markup: what it is given is shown as it is. NO_COLOR and TERM are respected by rich."""
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=False)


def print_line(target: Console, cells: Sequence[Cell]) -> None:
    """One line. The terminal wraps it by itself, so that a line that is copied is still one."""
    target.print(Text.assemble(*map(_text, cells)), soft_wrap=True)


def print_table(target: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """A table as wide as the terminal at most. On one too narrow for it all text is folded: nothing is cut."""
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold underline")
    narrow = sum(_least_widths(columns, rows)) + _GAP * (len(columns) - 1) > target.width
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        least = _LEAST_WIDE if column.wide and not narrow else None
        folded = column.wide or (narrow and not column.right)
        table.add_column(column.title, justify=justify, overflow="fold", no_wrap=not folded, min_width=least)
    for row in rows:
        table.add_row(*map(_text, row))
    target.print(table)


def _least_widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Iterator[int]:
    """What each column takes with its text on one line, or with as much of longer text as is to be seen at once."""
    for index, column in enumerate(columns):
        texts = (column.title, *(visible(row[index].text) for row in rows))
        yield _LEAST_WIDE if column.wide else max(map(cell_len, texts))


def _text(cell: Cell) -> Text:
    return Text(visible(cell.text), style=cell.style)
