"""Records of the audit, and whether its chains are whole, on the screen."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.base.spans import ago
from exporter.base.text import counted
from remediator.model.shapes.answers import Page
from remediator.model.shapes.audit import AuditView
from upkeeper.look.audit import VerdictView
from upkeeper.screens.alerts import more
from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES


def show_records(screen: Screen, page: Page[AuditView]) -> None:
    """One line a record."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("number", right=True),
            Column("when"),
            Column("kind"),
            Column("by"),
            Column("run", right=True),
            Column("alert", right=True),
            Column("what", wide=True),
        ],
        [
            [
                str(record["number"]),
                ago(record["at"], now),
                Cell(record["kind"], "bold"),
                " ".join(filter(None, (record["caller"]["trigger"], record["caller"]["name"]))),
                str(record["run"] or "-"),
                str(record["alert"] or "-"),
                _in_words(record["body"]),
            ]
            for record in page["items"]
        ],
        empty="the audit holds no such record",
    )
    more(screen, page["next"])


def _in_words(body: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in body.items() if value not in (None, "", {}, []))


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({_in_words(value)})"
    if isinstance(value, list):
        return counted(len(value), "item") if len(value) > 3 else " ".join(map(_short, value))
    return str(value)


def show_verdicts(screen: Screen, verdicts: Sequence[VerdictView]) -> None:
    """For each chain whether it is whole, and its head, to be kept elsewhere."""
    screen.document({"whole": not any(one["faults"] for one in verdicts), "chains": verdicts})
    for one in verdicts:
        if one["faults"]:
            screen.line(Cell("broken  ", STYLES["failed"]), f"the audit of {one['host']}")
            for fault in one["faults"]:
                screen.line("        ", fault)
            if one["more_faults"]:
                screen.line("        ", f"and {counted(one['more_faults'], 'more fault')}")
        else:
            first = f", from {one['first']} on" if one["deleted"] else ""
            screen.line(Cell("whole   ", STYLES["ok"]), f"{one['host']}: {counted(one['records'], 'record')}{first}")
        if one["head"] is not None:
            screen.line("head    ", f"{one['last']}:{one['head']}")
        for head in one["unknown"]:
            screen.line("unknown ", f"{head} is of a record that is past its retention")
    if not verdicts:
        screen.line("there is no audit yet")
