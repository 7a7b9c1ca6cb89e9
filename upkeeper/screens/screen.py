"""Where a command's output goes: tables and colour on a terminal, plain text in a pipe, or one JSON document."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from exporter.base.visible import visible
from upkeeper.screens.cells import Cell, Column

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """A stream that may be a terminal. rich, which draws on those, is imported when it is first needed."""

    def __init__(self, file: TextIO, console: "Console | None" = None) -> None:
        self.file = file
        self._console = console

    @property
    def is_terminal(self) -> bool:
        """Whether to draw on it, as rich has it."""
        return self._console is not None or _is_terminal(self.file, os.environ)

    @cached_property
    def console(self) -> "Console":
        from upkeeper.screens.terminal import console

        return self._console or console(self.file)


def _is_terminal(file: TextIO, env: Mapping[str, str]) -> bool:
    compatible, forced = env.get("TTY_COMPATIBLE"), env.get("FORCE_COLOR")
    if compatible in ("0", "1"):
        return compatible == "1"
    return forced != "" if forced is not None else file.isatty()


class Screen:
    """One command's output. With ``as_json`` only ``document`` writes to stdout; lines and tables then go nowhere."""

    def __init__(self, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = Output(out or sys.stdout)
        self.err = Output(err or sys.stderr)

    def document(self, value: object) -> None:
        """The one JSON document; nothing unless JSON was asked for."""
        if self.as_json:
            self.out.file.write(json.dumps(value, indent=2) + "\n")

    def line(self, *parts: str | Cell) -> None:
        """A line for people on stdout."""
        if not self.as_json:
            self._write(self.out, parts)

    def lines(self, lines: Sequence[Sequence[str | Cell]]) -> None:
        """Lines for people on stdout, which in a file or pipe stay together: nobody else's come between."""
        if not self.as_json:
            self._write(self.out, *lines)

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
            from upkeeper.screens.terminal import print_table

            print_table(self.out.console, columns, cells)
        else:
            for text in _plain_table(columns, cells):
                self.out.file.write(text + "\n")

    @staticmethod
    def _write(target: Output, *lines: Sequence[str | Cell]) -> None:
        cells = [[part if isinstance(part, Cell) else Cell(part) for part in parts] for parts in lines]
        if target.is_terminal:
            from upkeeper.screens.terminal import print_line

            for line in cells:
                print_line(target.console, line)
        else:
            target.file.write("".join("".join(visible(cell.text) for cell in line) + "\n" for line in cells))
            target.file.flush()  # whoever reads a pipe or a log file wants it now


def _plain_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Columns two spaces apart, as wide as what is in them: a pipe has no width, and nothing is cut."""
    lines = [[column.title.upper() for column in columns], *([visible(cell.text) for cell in row] for row in rows)]
    widths = [max(_cells(line[index]) for line in lines) for index in range(len(columns))]
    return ["  ".join(_pad(*part) for part in zip(line, widths, columns, strict=True)).rstrip() for line in lines]


def _pad(text: str, width: int, column: Column) -> str:
    space = " " * (width - _cells(text))
    return space + text if column.right else text + space


def _cells(text: str) -> int:
    """How many columns of a terminal it takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
