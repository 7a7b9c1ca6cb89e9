"""Sets of backups on the screen."""

from datetime import UTC, datetime

from exporter.base.spans import ago
from exporter.base.text import printable
from exporter.base.units import format_bytes
from remediator.model.shapes.sets import SetsView, SetView
from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES


def show_sets(screen: Screen, found: SetsView) -> None:
    """Each set with its age, size and state, and what was shown of it; then what failed, and what cannot be read."""
    now = datetime.now(UTC)
    screen.document(found)
    screen.table(
        [
            Column("backup"),
            Column("set", wide=True),
            Column("age", right=True),
            Column("size", right=True),
            Column("state"),
            Column("proofs", wide=True),
        ],
        [
            [
                Cell(each["backup"], "bold"),
                printable(each["name"]),
                "-" if each["made_at"] is None else ago(each["made_at"], now),
                "-" if each["bytes"] is None else format_bytes(each["bytes"]),
                Cell(each["state"].replace("_", " "), "" if each["state"] == "complete" else STYLES["failed"]),
                _proofs(each),
            ]
            for each in found["items"]
        ],
        empty="there are no sets in directories",
    )
    for each in found["items"]:
        for proof, shown in each["proofs"].items():
            if not shown["success"]:
                what = f"{printable(each['name'])}: {proof}: {shown['detail']}"
                screen.line(Cell("failed", STYLES["failed"]), f" {what}")
    for series in found["unread"]:
        screen.line(Cell("not read", STYLES["failed"]), f" {series['backup']}: {series['reason']}")


def _proofs(each: SetView) -> Cell:
    """Those that it has, and those that it failed."""
    words = [proof if shown["success"] else f"{proof} FAILED" for proof, shown in each["proofs"].items()]
    failed = any(not shown["success"] for shown in each["proofs"].values())
    return Cell(", ".join(words) or "-", STYLES["failed"] if failed else "")
