"""Plans that wait for a person, on the screen."""

from datetime import UTC, datetime

from exporter.base.spans import ago, ahead
from exporter.base.text import counted
from exporter.base.units import format_bytes
from remediator.model.shapes.answers import Page
from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
from upkeeper.screens.alerts import more
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.tasks import measurement, show_body
from upkeeper.screens.text import STYLES, local


def show_approvals(screen: Screen, page: Page[ApprovalView]) -> None:
    """One line each."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("id", right=True),
            Column("task"),
            Column("target"),
            Column("would", wide=True),
            Column("for"),
            Column("asked"),
            Column("expires"),
            Column("state"),
            Column("reason", wide=True),
        ],
        [
            [
                str(one["id"]),
                Cell(one["task"], "bold"),
                one["target"],
                _would(one),
                _for(one),
                ago(one["asked_at"], now),
                ahead(one["expires_at"], now) if one["state"] == "asked" else "-",
                state(one["state"]),
                one["reason"] or "-",
            ]
            for one in page["items"]
        ],
        empty="nothing waits for a person",
    )
    more(screen, page["next"])


def _would(one: ApprovalView) -> str:
    what = counted(one["actions"], "action")
    return f"{what}, to free about {format_bytes(one['estimated_bytes'])}" if one["estimated_bytes"] else what


def _for(one: ApprovalView) -> str:
    return f"{one['caller']['trigger']} {one['caller']['name']}".strip()


def brief(one: ApprovalView, now: datetime) -> str:
    """One request in a sentence."""
    return (
        f"approval {one['id']} waits: {one['task']} on {one['target']}, {_would(one)}, "
        f"expires {ahead(one['expires_at'], now)}"
    )


def show_to_approve(screen: Screen, one: ApprovalDetail) -> None:
    """The plan that is to be approved, and what has changed since another one was. On stderr where a document is asked
    for.
    """
    title = f"approval {one['id']}: {one['task']} on {one['target']}"
    measured = measurement(one["measurement"]) if one["measurement"] is not None else ("",)
    screen.line(Cell(title, "bold"), ": ", *measured)
    screen.line(f"asked {local(one['asked_at'])} by {_for(one)}, expires {local(one['expires_at'])}; {one['why']}")
    _changes(screen, one)
    show_body(screen, one["task"], one["plan"])
    for guard in one["guards"]:
        screen.line(Cell("it would be blocked", STYLES["blocked"]), f" by {guard['guard']}: {guard['reason']}")


def _changes(screen: Screen, one: ApprovalView) -> None:
    for change in one["changes"]:
        screen.line(Cell(f"{change['change']:8}", STYLES["warning"]), f"{change['kind']} {change['object']}")


def show_waiting(screen: Screen, one: ApprovalView | None) -> None:
    """A run that has come to a plan which a person must approve."""
    if one is None:
        screen.line("it waited for a person, who has just answered")
        return
    screen.line(Cell("waiting ", STYLES["waiting"]), brief(one, datetime.now(UTC)), f": {one['why']}")
    _changes(screen, one)
    screen.line(f"see the plan and answer: upkeeper approve {one['id']}, or upkeeper deny {one['id']} --reason ...")


def show_denied(screen: Screen, one: ApprovalView) -> None:
    screen.document(one)
    screen.line(state("denied"), f" approval {one['id']}: {one['task']} on {one['target']} is not done")
