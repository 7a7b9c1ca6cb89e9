"""Why a job did or did not run at a time: each answer there is."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from remediator.config.cron import parse_cron
from remediator.config.schedule import Job
from remediator.model.job import DueTarget, DueTime, JobRecord
from remediator.model.words import DueState
from remediator.schedule.why import parse_moment, why

BERLIN = ZoneInfo("Europe/Berlin")
CRON = parse_cron("0 2 * * *", BERLIN)
JOB = Job(name="daily", at="0 2 * * *", task="daily")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


NOW = at("2026-06-10T12:00")
RECORD = JobRecord(
    name="daily", task="daily", target=None, at="0 2 * * *", timezone="Europe/Berlin",
    since=at("2026-06-05T12:00"), handled_until=at("2026-06-09T02:00"), done_until=at("2026-06-09T02:00"),
)  # fmt: skip


def due(state: DueState, moment: str = "2026-06-08T02:00", **more: object) -> DueTime:
    given = {"first_due_at": at(moment), "count": 1, "reason": "", "decided_at": 0.0, **more}
    return DueTime(id=1, job="daily", due_at=at(moment), state=state, **given)  # type: ignore[arg-type]


RAN = [DueTarget("all", 7)]


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (due("ran", targets=RAN, outcome="effective"), "it ran for 2026-06-08 02:00 Europe/Berlin: run 7, effective"),
        (due("ran", targets=RAN, outcome="failed", reason="10h late: no remediator was running"),
         "it ran for 2026-06-08 02:00 Europe/Berlin (10h late: no remediator was running): run 7, failed"),
        (due("running", targets=RAN), "it is running for 2026-06-08 02:00 Europe/Berlin: run 7"),
        (due("blocked", reason="given up: paused: moving house"),
         "it was due at 2026-06-08 02:00 Europe/Berlin and did not run: given up: paused: moving house"),
        (due("waiting", reason="paused: moving house", give_up_at=at("2026-06-08T03:00")),
         "it is due since 2026-06-08 02:00 Europe/Berlin and waits: paused: moving house; "
         "it is tried until 2026-06-08 03:00 Europe/Berlin"),
        (due("missed", reason="no remediator was running (catch_up: skip)"),
         "it did not run for 2026-06-08 02:00 Europe/Berlin: no remediator was running (catch_up: skip)"),
        (due("missed", "2026-06-09T02:00", first_due_at=at("2026-06-07T02:00"), count=3, reason="off"),
         "it did not run: 3 times from 2026-06-07 02:00 Europe/Berlin to 2026-06-09 02:00 Europe/Berlin were missed: "
         "off"),
        (due("skipped", reason="it ran for 2026-06-08 02:00 already"),
         "it did not run for 2026-06-08 02:00 Europe/Berlin: it ran for 2026-06-08 02:00 already"),
    ],
)  # fmt: skip
def test_the_record_answers(found: DueTime, answer: str) -> None:
    said = why(JOB, CRON, RECORD, [found], at("2026-06-08T02:00"), NOW)
    assert (said.state, said.answer, said.due) == (found.state, answer, found)


@pytest.mark.parametrize(
    ("moment", "state", "answer"),
    [
        ("2026-06-08T03:00", "not-due", "it was not due then; the nearest times are 2026-06-08 02:00 Europe/Berlin and "
                                        "2026-06-09 02:00 Europe/Berlin"),
        ("2026-06-11T02:00", "to-come", "2026-06-11 02:00 Europe/Berlin is still to come"),
        ("2026-06-05T02:00", "unknown", "it was not in the schedule then: it is since 2026-06-05 12:00 Europe/Berlin"),
        ("2026-06-10T02:00", "unknown", "no remediator has looked at the schedule since then: is one running?"),
        ("2026-06-07T02:00", "unknown", "the record has nothing of that time: it is older than the record is kept, or "
                                        "the schedule was another then"),
    ],
)  # fmt: skip
def test_without_a_record_of_it(moment: str, state: str, answer: str) -> None:
    said = why(JOB, CRON, RECORD, [], at(moment), NOW)
    assert (said.state, said.answer) == (state, answer)


def test_before_the_first_start() -> None:
    said = why(JOB, CRON, None, [], at("2026-06-08T02:00"), NOW)
    assert said.answer.startswith("no remediator has run with daily in its schedule so far")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-08 02:00", "2026-06-08T02:00"),
        ("2026-06-08T00:00Z", "2026-06-08T02:00"),
        ("02:00", "2026-06-10T02:00"),
        ("13:30", "2026-06-09T13:30"),
    ],
)
def test_a_time_as_people_write_it(text: str, moment: str) -> None:
    assert parse_moment(text, BERLIN, NOW) == at(moment)


@pytest.mark.parametrize("text", ["", "25:00", "tomorrow", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write 2026-11-27 02:00, or 02:00 for the last one"):
        parse_moment(text, BERLIN, NOW)
