"""Findings of the configuration audit on the screen."""

from collections.abc import Sequence

from remediator.tasks.configuration_audit.notes import cells, short
from upkeeper.screens.screen import Cell, Column, Screen
from upkeeper.screens.text import STYLES


def show_findings(screen: Screen, notes: Sequence[str]) -> None:
    """A table of the findings among the notes, the worst first, then the other notes."""
    found = [(note, cells(note)) for note in notes]
    rows: list[list[str | Cell]] = [
        [Cell(severity, STYLES.get(severity, "")), Cell(short(places), "bold"), message, remedy]
        for _, parts in found
        if parts is not None
        for places, severity, message, remedy in [parts]
    ]
    screen.table(
        [Column("severity"), Column("where", wide=True), Column("finding", wide=True), Column("remedy", wide=True)],
        rows,
        empty="nothing was found",
    )
    for note, parts in found:
        if parts is None:
            screen.line(Cell("note: ", "dim"), note)
