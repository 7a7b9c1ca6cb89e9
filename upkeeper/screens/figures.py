"""The table that a task of figures leaves, on the screen: with the columns that its facts name."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.base.units import format_bytes
from remediator.model.taskfacts import Figure, Reads
from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen


def show_figures(
    screen: Screen, figures: Sequence[Figure], rows: Sequence[Mapping[str, Any]], notes: Sequence[str]
) -> None:
    """A table of the rows, then the notes."""
    screen.table(
        [Column(figure.title, right=figure.reads != "text", wide=figure.reads == "text") for figure in figures],
        [[written(row.get(figure.key), figure.reads, row) for figure in figures] for row in rows],
        empty="there is nothing to tell",
    )
    for note in notes:
        screen.line(Cell("note: ", "dim"), note)


def written(value: Any, reads: Reads, row: Mapping[str, Any]) -> str:
    """A value of a row for people; empty where it is not known."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if reads == "ratio":
        return _percent(value)
    if reads == "number" or reads == "amount":
        return _amount(float(value), str(row.get("unit", "")) if reads == "amount" else "")
    return str(value)


def _percent(value: float) -> str:
    return f"{value:.0%}" if abs(value) >= 0.1 else f"{value:.1%}"


def _amount(value: float, unit: str) -> str:
    if unit == "ratio":
        return _percent(value)
    if unit in ("bytes", "bytes/s"):
        return format_bytes(value) + unit.removeprefix("bytes")
    number = f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{number} {unit}".rstrip()
