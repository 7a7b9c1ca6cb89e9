"""The alerts that fire, and what is being done about each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.base.text import parse_time
from remediator.model.shapes.alerts import DecisionView
from remediator.model.shapes.runs import RunView
from tests.upkeeper.shapes import action, alert, decision, run
from upkeeper.look.firing import FiringView, of_alertmanager, of_prometheus, of_record, with_doing

LABELS = {"alertname": "UpkeeperServiceDown", "severity": "critical", "target": "n8n"}
NOW = datetime(2026, 1, 1, 13, tzinfo=UTC)
AT = "2026-01-01T12:00:00Z"


def prometheus(*alerts: dict[str, Any]) -> list[FiringView]:
    return of_prometheus({"status": "success", "data": {"alerts": list(alerts)}})


def firing(state: str = "firing", **labels: str) -> dict[str, Any]:
    annotations = {"summary": "n8n does not answer", "description": "for a minute"}
    return {"labels": {**LABELS, **labels}, "annotations": annotations, "state": state, "activeAt": AT, "value": "1"}


def test_the_worst_first_without_the_watchdog_and_what_is_pending_last() -> None:
    found = prometheus(
        firing(severity="info", alertname="Info"),
        firing(severity="none", alertname="Watchdog"),
        firing("pending", alertname="Pending"),
        firing("inactive", alertname="Inactive"),
        firing(severity="page", alertname="Theirs"),
        firing(severity="warning", alertname="Warning"),
        firing(),
    )
    assert [view["name"] for view in found] == ["UpkeeperServiceDown", "Warning", "Theirs", "Info", "Pending"]
    assert (found[0]["summary"], found[0]["since"]) == ("n8n does not answer", AT)


def test_alertmanager_and_the_record_are_read_alike() -> None:
    (theirs,) = of_alertmanager([{"labels": LABELS, "annotations": {}, "startsAt": AT, "status": {"state": "active"}}])
    (ours,) = of_record([alert(labels=LABELS, starts_at=AT), alert(labels=LABELS, status="resolved")])
    assert theirs == ours
    assert (ours["name"], ours["severity"], ours["state"], ours["summary"]) == (
        "UpkeeperServiceDown",
        "critical",
        "firing",
        "",
    )


@pytest.mark.parametrize(
    ("made", "runs", "doing"),
    [
        (None, [], "is about to be decided"),
        (decision(verdict="unmatched", remedy=None, run_id=None), [], "no remedy matches it"),
        (
            decision(verdict="blocked", guard="cooldown", reason="12 s left", run_id=None),
            [],
            "rotate-logs is blocked: cooldown: 12 s left",
        ),
        (
            decision(verdict="no-target", reason="label target names no configured target", run_id=None),
            [],
            "rotate-logs does nothing: label target names no configured target",
        ),
        (decision(verdict="observe"), [run(dry_run=True)], "rotate-logs: observes only; run 1 has the plan"),
        (decision(), [run(outcome="ineffective")], "rotate-logs: run 1 was ineffective"),
        (
            decision(),
            [run(state="applying", outcome=None, actions=[action(), action(1, "running"), action(2, "planned")])],
            "rotate-logs: run 1 is applying, 1 of 3 actions",
        ),
        (decision(), [], "rotate-logs: run 1"),
    ],
)
def test_what_is_being_done(made: DecisionView | None, runs: list[RunView], doing: str) -> None:
    received = [alert(2, labels={**LABELS, "target": "other"}), alert(1, labels={**LABELS, "cluster": "home"})]
    decisions = [decision(alert_id=2, verdict="unmatched"), *([made] if made else [])]
    (view,) = with_doing(prometheus(firing()), received, decisions, runs, NOW)
    assert view["doing"] == doing


def test_an_alert_that_did_not_come_here_says_so() -> None:
    views = prometheus(firing(), firing("pending"))
    unheard, waiting = with_doing(views, [alert(status="resolved", labels=LABELS)], [], [], NOW)
    assert unheard["doing"] == "the remediator has not received it"
    assert waiting["doing"] == "waits to see whether it lasts"


@pytest.mark.parametrize(
    ("outcome", "minutes", "handled"),
    [("effective", 1, True), ("effective", 11, False), ("ineffective", 1, False), (None, 1, False)],
)
def test_one_that_was_just_mended_needs_nobody_until_it_should_have_ended(
    outcome: str | None, minutes: int, handled: bool
) -> None:
    now = parse_time(run()["finished_at"] or "") + timedelta(minutes=minutes)
    (view,) = with_doing(prometheus(firing()), [alert(labels=LABELS)], [decision()], [run(outcome=outcome)], now)
    assert view["handled"] is handled
