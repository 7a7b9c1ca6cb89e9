"""Alerts and decisions on the screen."""

from datetime import UTC, datetime

from exporter.base.spans import ago, ahead
from remediator.model.shapes.alerts import AlertView, DecisionView
from remediator.model.shapes.answers import Page
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen

_UNTOLD = {"alertname", "severity"}
"""Labels that have a column of their own."""


def show_alerts(screen: Screen, page: Page[AlertView]) -> None:
    """One line an episode."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("id", right=True),
            Column("status"),
            Column("alert"),
            Column("severity"),
            Column("labels", wide=True),
            Column("since"),
            Column("ended"),
            Column("received", right=True),
        ],
        [
            [
                str(alert["id"]),
                state(alert["status"]),
                Cell(alert["labels"].get("alertname", "-"), "bold"),
                alert["labels"].get("severity", "-"),
                _labels(alert["labels"]),
                ago(alert["starts_at"], now),
                ago(alert["ends_at"], now) if alert["status"] == "resolved" else "-",
                f"{alert['receptions']}x",
            ]
            for alert in page["items"]
        ],
        empty="no alert has been received",
    )
    more(screen, page["next"])


def show_decisions(screen: Screen, page: Page[DecisionView]) -> None:
    """One line a decision."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("id", right=True),
            Column("when"),
            Column("alert"),
            Column("verdict"),
            Column("remedy"),
            Column("task and target"),
            Column("run", right=True),
            Column("because", wide=True),
        ],
        [
            [
                str(decision["id"]),
                ago(decision["last_at"], now),
                Cell(decision["alertname"], "bold"),
                state(decision["verdict"]),
                decision["remedy"] or "-",
                " ".join(part for part in (decision["task"], decision["target"]) if part) or "-",
                str(decision["run_id"] or "-"),
                _because(decision, now),
            ]
            for decision in page["items"]
        ],
        empty="nothing has been decided yet: no alert has been received",
    )
    more(screen, page["next"])


def _labels(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in _UNTOLD)


def _because(decision: DecisionView, now: datetime) -> str:
    times = f" ({decision['repeats'] + 1} times)" if decision["repeats"] else ""
    guard = f"{decision['guard']}: " if decision["guard"] else ""
    again = f"; tried again {ahead(decision['due_at'], now)}" if decision["due_at"] is not None else ""
    return f"{guard}{decision['reason']}{times}{again}"


def more(screen: Screen, cursor: int | None) -> None:
    """Says how to get the next page, if there is one."""
    if cursor is not None and not screen.as_json:
        screen.note(Cell(f"more: --before {cursor}", "dim"))
