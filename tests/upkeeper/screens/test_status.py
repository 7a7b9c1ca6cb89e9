"""The stack at a glance on the screen: the ways by which people are told."""

import io

from remediator.model.shapes.status import StatusView, WayView
from upkeeper.look.status import Overview, untold
from upkeeper.screens.screen import Screen
from upkeeper.screens.status import show_status

NOW = "2026-01-01T12:00:00.000Z"
WORKS: WayView = {"name": "email", "told_at": NOW, "failing_since": None, "reason": ""}
FAILS: WayView = {"name": "ntfy", "told_at": None, "failing_since": NOW, "reason": "ntfy answers 503"}


def status(*ways: WayView) -> StatusView:
    return {
        "version": "1", "paused": [], "queue_depth": 0, "running": [], "approvals": [], "open_breakers": [],
        "last_alert_at": None, "watchdog_at": None, "ways": list(ways), "counts": {}, "ballast": None,
    }  # fmt: skip


def shown(*ways: WayView) -> str:
    seen: Overview = {
        "problems": list(untold(status(*ways))), "services": [], "checks": [], "watched": [], "alerts": [],
        "alerts_from": None, "notes": [], "remediator": status(*ways), "runs": [], "remedies": [],
    }  # fmt: skip
    out = io.StringIO()
    show_status(Screen(False, out, io.StringIO()), seen, everything=False)
    return out.getvalue()


def test_a_way_that_fails_is_a_problem_with_its_reason_and_all_are_listed() -> None:
    text = shown(WORKS, FAILS)
    assert text.splitlines()[0] == (
        "look: messages to people by ntfy fail, first at 2026-01-01 12:00:00 UTC: ntfy answers 503"
    )
    [line] = [line for line in text.splitlines() if line.startswith("telling ")]
    assert line.startswith("telling   by email (last ")
    assert line.endswith("), by ntfy (fails, nothing yet)")


def test_without_a_way_there_is_no_line() -> None:
    assert "telling" not in shown()
    assert list(untold(status(WORKS))) == []
