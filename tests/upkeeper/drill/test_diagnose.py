"""What the drill says when it does not get past a station: a table of facts, causes and remedies."""

from dataclasses import replace

import pytest

from remediator.model.shapes.holds import BreakerView, PauseView
from tests.upkeeper.drill.facts import MIB, OVER, QUIET, WIRED, at
from tests.upkeeper.shapes import NOW, action, alert, decision, remedy, run
from upkeeper.drill.diagnose import diagnose, foresee
from upkeeper.drill.facts import Alertmanager, DrillFacts, Exporter, Remediator, Wiring
from upkeeper.drill.stations import Station

PAUSED: PauseView = {
    "host": "host",
    "task": None,
    "caller": {"trigger": "cli", "name": "pat"},
    "reason": "moving house",
    "since": NOW,
    "until": None,
}
PAUSED_ELSEWHERE: PauseView = {**PAUSED, "task": "docker-cleanup"}
BREAKER: BreakerView = {"task": "log-rotation", "target": "upkeeper-drill", "since": NOW}


def without(name: str, facts: DrillFacts = QUIET) -> DrillFacts:
    return replace(facts, unreachable={name: "Connection refused"})  # type: ignore[dict-item]


def wired(facts: DrillFacts, **changes: object) -> DrillFacts:
    return replace(facts, wiring=replace(WIRED, **changes))  # type: ignore[arg-type]


def accepted(**changes: object) -> DrillFacts:
    return replace(at(Station.NOTIFIED), remediator=Remediator(alert(), decision(run_id=None, **changes)))


def running(**changes: object) -> DrillFacts:
    return replace(at(Station.NOTIFIED), remediator=Remediator(alert(), decision(), run(**changes)))


def delivering(**changes: object) -> DrillFacts:
    return wired(at(Station.NOTIFIED), **changes)


@pytest.mark.parametrize(
    ("station", "facts", "cause", "remedy", "certain"),
    [
        ("measured", without("exporter"), "exporter at http://127.0.0.1:10746", "upkeeper up", True),
        ("measured", QUIET, "does not watch the drill's directory /state/drill", "--state-dir /state", False),
        ("measured", replace(QUIET, exporter=Exporter(collector_works=False)), "`logs` fails", "log", False),
        ("measured", replace(QUIET, exporter=Exporter(10.0, MIB)), "still shows 10 bytes", "--timeout", False),
        ("pending", without("prometheus"), "prometheus at http://127.0.0.1:10748", "--prometheus-url", True),
        ("pending", wired(QUIET, rule_loaded=False), "has not loaded the rule", "rule_files", True),
        ("pending", wired(QUIET, target="missing"), "does not scrape the exporter", "upkeeper-exporter", True),
        (
            "pending",
            wired(QUIET, target="down", target_error="refused"),
            "scrape the exporter: refused",
            "listen",
            True,
        ),
        ("pending", wired(QUIET, target="unknown"), "has not scraped", "scrape and evaluation interval", False),
        ("firing", at(Station.PENDING), "the alert rule waits", "--timeout", False),
        ("firing", without("prometheus"), "gives no answer: Connection refused", "upkeeper up", True),
        ("notified", wired(QUIET, alertmanagers=[]), "has no Alertmanager", "alerting.alertmanagers", True),
        (
            "notified",
            wired(QUIET, alertmanagers=["http://am:9093/api/v2/alerts"]),
            "am:9093",
            "alertmanager-url",
            False,
        ),
        ("notified", without("alertmanager"), "alertmanager at http://127.0.0.1:10749", "alertmanager.url", True),
        ("notified", QUIET, "has not sent the alert", "--timeout", False),
        ("accepted", without("remediator"), "remediator at http://127.0.0.1:10747", "--url", True),
        (
            "accepted",
            replace(QUIET, alertmanager=Alertmanager(alert=True, suppressed_by="silence 7")),
            "silence 7",
            "expire that silence",
            True,
        ),
        (
            "accepted",
            delivering(webhooks_rejected={"unauthorized": 2}),
            "rejected",
            "/state/tokens/alertmanager",
            False,
        ),
        ("accepted", delivering(webhooks_sent=2, webhooks_failed=2), "webhooks fail", "/api/v1/alertmanager", False),
        ("accepted", delivering(), "no route of it leads to the remediator", "/api/v1/alertmanager", False),
        ("accepted", delivering(webhooks_sent=3), "none with this alert", "UpkeeperLogDirectoryOverLimit", False),
        ("accepted", QUIET, "has not sent its webhook", "group_wait", False),
        ("planned", without("remediator"), "remediator at", "upkeeper up", True),
        ("planned", accepted(verdict="observe"), "rotate-logs only observes", "autonomy: auto", True),
        ("planned", accepted(verdict="unmatched", remedy=None), "no remedy matches", "add a remedy", True),
        ("planned", accepted(verdict="no-target", reason="unknown"), "selects no target: unknown", "state-dir", True),
        ("planned", accepted(verdict="blocked", guard="cooldown", reason="40s left"), "cooldown", "wait", True),
        ("planned", accepted(verdict="blocked", guard="paused", reason="by hand"), "paused", "upkeeper resume", True),
        ("planned", accepted(verdict="blocked", guard="breaker", reason="3 runs"), "breaker", "breaker close", True),
        ("planned", accepted(verdict="blocked", guard="rate", reason="20 runs"), "rate", "`rate:`", True),
        ("planned", accepted(verdict="blocked", guard="in-flight", reason="run 7"), "in-flight", "current run", True),
        ("planned", accepted(verdict="blocked", guard="storm", reason="many"), "guard storm", "decisions", True),
        ("planned", accepted(verdict="later"), "the decision was later", "decisions", True),
        ("planned", wired(QUIET, pauses=[PAUSED]), "is paused: moving house", "upkeeper resume", True),
        ("planned", wired(QUIET, breakers=[BREAKER]), "breaker of log-rotation", "close log-rotation", True),
        ("planned", wired(QUIET, remedies=[]), "no remedy runs log-rotation", "target_label directory", True),
        (
            "planned",
            wired(QUIET, remedies=[remedy(autonomy="observe")]),
            "rotate-logs only observes",
            "autonomy: auto",
            True,
        ),
        ("planned", running(state="queued", outcome=None), "waits in the queue", "remediator.workers", False),
        ("planned", running(state="planning", outcome=None), "still planning", "upkeeper show 1", False),
        ("planned", running(outcome="blocked", reason="paused"), "ended blocked: paused", "upkeeper show 1", True),
        ("planned", QUIET, "has not decided", "log", False),
        (
            "applied",
            running(state="applying", outcome=None, actions=[action(0, "running")]),
            "still applying",
            "upkeeper show 1",
            False,
        ),
        ("applied", running(outcome="failed", reason="no space"), "ended failed: no space", "show 1", True),
        ("verified", running(outcome="ineffective"), "ended ineffective: no reason given", "show 1", True),
        ("verified", running(state="verifying", outcome=None), "still verifying", "--timeout", False),
        ("resolved", at(Station.VERIFIED), "still fires in Prometheus", "interval", False),
        (
            "resolved",
            replace(at(Station.VERIFIED), prometheus=QUIET.prometheus),
            "not notified",
            "send_resolved",
            False,
        ),
    ],
)
def test_each_cause_has_its_remedy(station: str, facts: DrillFacts, cause: str, remedy: str, certain: bool) -> None:
    found = diagnose(Station(station), facts)
    assert cause in found.cause
    assert remedy in found.remedy
    assert (found.certain_after is not None) is certain


@pytest.mark.parametrize("station", list(Station))
def test_there_is_always_something_to_say(station: Station) -> None:
    found = diagnose(station, at(station))
    assert found.cause
    assert found.remedy


@pytest.mark.parametrize(
    ("facts", "station"),
    [
        (without("alertmanager"), Station.NOTIFIED),
        (replace(QUIET, unreachable={"remediator": "x", "exporter": "x"}), Station.MEASURED),
        (wired(QUIET, pauses=[PAUSED]), Station.PLANNED),
    ],
)
def test_what_cannot_work_is_told_before_the_breach(facts: DrillFacts, station: Station) -> None:
    found = foresee(facts)
    assert found is not None
    assert found[0] == station


@pytest.mark.parametrize(
    "facts",
    [
        wired(QUIET),
        wired(replace(QUIET, exporter=OVER)),
        replace(QUIET, wiring=Wiring()),
        wired(QUIET, pauses=[PAUSED_ELSEWHERE]),
        wired(
            QUIET,
            remedies=[remedy(autonomy="observe"), remedy(name="mine", target_label=None, target="upkeeper-drill")],
        ),
    ],
)
def test_a_stack_that_may_work_is_tried(facts: DrillFacts) -> None:
    assert foresee(facts) is None
