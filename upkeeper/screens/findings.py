"""Findings of the configuration audit on the screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES


def show_findings(screen: Screen, rows: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> None:
    """A table of the findings, the worst first, then the notes. rows: as configuration_audit.rows or
    security_review.rows make them."""
    screen.table(
        [Column("severity"), Column("where", wide=True), Column("finding", wide=True), Column("remedy", wide=True)],
        [
            [
                Cell(row["severity"], STYLES.get(row["severity"], "")),
                Cell(where(row), "bold"),
                row["message"],
                row["remedy"],
            ]
            for row in rows
        ],
        empty="nothing was found",
    )
    for note in notes:
        screen.line(Cell("note: ", "dim"), note)


def where(row: Mapping[str, Any]) -> str:
    """The first place of a finding, and how many more there are; of one that has an id, that."""
    if "places" not in row:
        return str(row["id"])
    first = row["places"][0]
    line = "" if first["line"] is None else f":{first['line']}"
    more = row["place_count"] - 1
    return f"{first['file']}{line}" + (f" and {more} more" if more else "")
