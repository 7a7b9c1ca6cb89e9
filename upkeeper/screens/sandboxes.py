"""Sandboxes on the screen."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from exporter.base.text import counted, format_time
from exporter.base.units import format_duration
from remediator.sandbox.labels import Standing
from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES


def show_sandboxes(screen: Screen, found: Sequence[Standing], now: float) -> None:
    """Each with what it is for, when it ends and what is in it. now: Unix seconds. As JSON a page of them."""
    screen.document({"items": [_view(one, now) for one in found], "next": None})
    screen.table(
        [Column("sandbox"), Column("for", wide=True), Column("ends"), Column("holds", wide=True)],
        [[Cell(one.name, "bold"), one.purpose, _ends(one, now), _holds(one)] for one in found],
        empty="there are no sandboxes",
    )


def show_cleaned(screen: Screen, gone: Sequence[Standing], staying: int) -> None:
    """What was removed. As JSON a page of their names."""
    screen.document({"items": [one.name for one in gone], "next": None})
    for one in gone:
        screen.line(f"removed {one.name}: {_holds(one)}")
    if not gone:
        screen.line("no sandbox was left behind")
    if staying:
        screen.line(f"{counted(staying, 'sandbox', 'sandboxes')} in use; --all ends those too")


def _view(one: Standing, now: float) -> dict[str, Any]:
    return {
        "name": one.name,
        "purpose": one.purpose,
        "ends_at": format_time(one.until),
        "left_behind": one.left_behind(now),
        "pieces": [{"kind": piece.kind, "id": piece.id, "name": piece.name} for piece in one.pieces],
    }


def _ends(one: Standing, now: float) -> Cell:
    if one.left_behind(now):
        return Cell("left behind", STYLES["failed"])
    return Cell(f"in {format_duration(round(one.until - now))} at the latest")


def _holds(one: Standing) -> str:
    kinds = Counter(piece.kind for piece in one.pieces)
    return ", ".join(counted(count, kind) for kind, count in kinds.items())
