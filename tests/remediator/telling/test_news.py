"""What is told, and when, by what the record says. Pure."""

from dataclasses import replace
from typing import Any

import pytest

from remediator.model.story import Decided, Done, Ran, Story
from remediator.telling.news import FRESH, LASTS, PEOPLE_FIRST, SETTLES, SOON, News, news, ripe
from remediator.telling.words import Place, message, text, together

RAN = Ran(
    id=7, task="service-restart", target="n8n", remedy="restart-down", state="finished", outcome="effective",
    reason="all probes succeed", requested_at=1000.0, started_at=1001.0, finished_at=1020.0,
)  # fmt: skip
FIRES = Story(
    alert_id=1, fingerprint="ab12", labels={"alertname": "Down", "severity": "warning"}, annotations={},
    starts_at=990.0, ends_at=None, first_received_at=1000.0,
)  # fmt: skip
ENDED = replace(FIRES, run=RAN, ends_at=1100.0)
BLOCKED = Decided("blocked", "window", "restart-down", "service-restart", "n8n", "only at night", 1000.0)
PLACE = Place("pa-host", "https://ops.example.org")


def seen(story: Story, now: float = 1500.0, way: str = "email") -> News | None:
    return news(story, way, now)


def of(**changes: Any) -> Story:
    return replace(FIRES, run=replace(RAN, **changes))


@pytest.mark.parametrize(
    ("story", "kind", "ripe_at"),
    [
        (replace(FIRES, run=RAN), "helped", 1020 + SETTLES),
        (ENDED, "mended", 1100 + SOON),
        (of(outcome="ineffective"), "failed", 1000 + PEOPLE_FIRST),
        (of(outcome="failed", finished_at=1200.0), "failed", 1200 + SOON),
        (of(outcome="inconclusive", finished_at=1200.0), "failed", 1200 + SOON),
        (of(outcome="nothing-to-do", finished_at=1200.0), "failed", 1200 + SOON),
        (of(outcome="denied", finished_at=1200.0), "blocked", 1200 + SOON),
        (of(state="waiting", outcome=None, finished_at=None, waits_since=1010.0, approval=3), "waits", 1035),
        (of(state="applying", outcome=None, finished_at=None), None, None),
        (of(outcome="planned"), None, None),
        (FIRES, None, None),
        (replace(FIRES, decision=BLOCKED), "blocked", 1000 + LASTS),
        (replace(FIRES, decision=replace(BLOCKED, guard=None, verdict="no-target")), "blocked", 1000 + LASTS),
        (replace(FIRES, decision=replace(BLOCKED, guard="in-flight")), None, None),
        (replace(FIRES, decision=replace(BLOCKED, guard="silenced")), None, None),
        (replace(FIRES, decision=replace(BLOCKED, verdict="unmatched")), None, None),
        (replace(FIRES, decision=replace(BLOCKED, verdict="observe")), None, None),
        # what is held back after a run is part of what was told of that, unless it is for long
        (replace(of(outcome="failed"), decision=replace(BLOCKED, at=1100.0)), "failed", 1000 + PEOPLE_FIRST),
        (replace(of(outcome="failed"), decision=replace(BLOCKED, guard="breaker", at=1100.0)), "blocked", 1190),
        (replace(ENDED, run=None, decision=BLOCKED), None, None),
        (replace(ENDED, run=replace(RAN, outcome="ineffective")), "ended", 1100 + SOON),
        (replace(ENDED, run=replace(RAN, outcome="cancelled")), None, None),
        (replace(ENDED, run=replace(RAN, outcome="cancelled"), said={"email": "run 7 waits 3"}), "ended", 1115),
        (replace(ENDED, run=replace(RAN, outcome=None, finished_at=None, state="applying")), None, None),
        # whom nobody told of the alert, nobody tells the rest
        (replace(ENDED, starts_at=1075.0), None, None),
        (replace(ENDED, starts_at=1075.0, labels={"severity": "critical"}), "mended", 1115),
        (replace(FIRES, run=RAN, muted="silenced by anna"), None, None),
        (of(held_until=float("inf"), outcome="failed"), None, None),
        (of(held_until=1030.0, outcome="failed"), "failed", 1035),
        (replace(ENDED, run=replace(RAN, held_until=1105.0)), None, None),
        (replace(ENDED, run=replace(RAN, held_until=1050.0)), "mended", 1115),
    ],
)  # fmt: skip
def test_what_is_told_and_when(story: Story, kind: str | None, ripe_at: float | None) -> None:
    found = seen(story)
    assert (None if found is None else (found.kind, found.ripe_at)) == (None if kind is None else (kind, ripe_at))
    if found is not None:
        assert seen(replace(story, said={**story.said, "email": found.key})) is None, "it is told twice"
        assert seen(replace(story, said={**story.said, "slack": found.key})), "ways are not told apart"
        assert seen(story, found.at + FRESH + 1) is None, "it is old by then"


def test_what_is_due_comes_oldest_first_with_when_to_look_again() -> None:
    young = replace(of(outcome="failed", finished_at=1400.0), alert_id=2)
    due, again = ripe([young, ENDED], "email", 1405.0)
    assert ([one.story.alert_id for one in due], again) == ([1], 1400.0 + SOON)
    due, again = ripe([young, ENDED], "email", 1415.0)
    assert ([one.story.alert_id for one in due], again) == ([1, 2], None)


HOSTILE = "x\r\nBcc: all@example.org\u202e\x1b[2J <script>alert(1)</script> token=abcdef123456 " + "w" * 5000


@pytest.mark.parametrize("where", ["annotation", "label", "reason", "decision", "action", "runbook"])
def test_nothing_that_an_alert_or_a_program_says_becomes_more_than_text(where: str) -> None:
    story, done = replace(ENDED, decision=replace(BLOCKED, reason=HOSTILE)), Done()
    if where == "annotation":
        story = replace(story, annotations={"summary": HOSTILE, "since": HOSTILE})
    elif where == "label":
        story = replace(story, labels={"alertname": HOSTILE, "severity": HOSTILE, "instance": HOSTILE})
    elif where == "reason":
        story = replace(story, run=replace(RAN, reason=HOSTILE, task=HOSTILE, target=HOSTILE, remedy=HOSTILE))
    elif where == "action":
        done = Done([(HOSTILE, HOSTILE)] * 5, 9)
    elif where == "runbook":
        story = replace(story, annotations={"runbook_url": "javascript:alert(1)", "dashboard_url": "https://x y"})
    else:
        story = replace(story, run=None, ends_at=None)
    found = seen(story)
    assert found is not None
    for one in (message(found, done, PLACE), together([found] * 40, PLACE)):
        assert one.subject.isprintable()
        assert len(one.subject) < 500
        assert len(text(one)) < 6000
        assert not [bad for bad in ("abcdef123456", "\r", "\x1b", "\u202e", "javascript", "x y") if bad in text(one)]
        assert not [line for line in text(one).splitlines() if line.startswith("Bcc")]


@pytest.mark.parametrize(
    ("labels", "annotations", "called"),
    [
        ({}, {}, "[firing] an alert: service-restart did not help"),
        ({}, {"summary": " \n"}, "[firing] an alert: service-restart did not help"),
        ({"alertname": "Down"}, {"summary": ""}, "[firing] Down: service-restart did not help"),
    ],
)
def test_an_alert_without_a_name_is_called_one(labels: Any, annotations: Any, called: str) -> None:
    found = seen(replace(of(outcome="failed"), labels=labels, annotations=annotations))
    assert found is not None
    assert message(found, Done(), PLACE).subject == called
    assert text(together([found] * 2, PLACE)).count(f"- {called[9:].split(':')[0]}: service-restart on") == 2
