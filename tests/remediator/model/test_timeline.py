"""The steps of a run, in their order."""

from typing import Any, cast

from remediator.model.shapes.approvals import ApprovalView
from remediator.model.timeline import timeline
from tests.upkeeper.shapes import action, measurement, run


def at(second: int) -> str:
    return f"2026-01-01T12:00:{second:02}.000Z"


def approval(asked: int, decided: int | None, state: str) -> ApprovalView:
    by = None if decided is None else {"trigger": "cli", "name": "anna"}
    answered = None if decided is None else at(decided)
    made: Any = {"asked_at": at(asked), "decided_at": answered, "state": state, "by": by, "actions": 2,
                 "why": "a person must approve", "reason": ""}  # fmt: skip
    return cast(ApprovalView, made)


def told(*approvals: ApprovalView, planned: int | None = None, **changes: object) -> list[tuple[str, str | None]]:
    """Each step with its end."""
    planned_at = None if planned is None else at(planned)
    base = {"requested_at": at(1), "started_at": None, "finished_at": None, "after": None, "actions": [],
            "outcome": None}  # fmt: skip
    shape = run(**{**base, **changes})  # type: ignore[arg-type]
    steps = timeline(shape, [], approvals, came_at=at(0), why="it matches", planned_at=planned_at)
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    return [(step["step"], step["until"] and step["until"][17:19]) for step in steps]


ALERT = [("accepted", "00"), ("decided", "01")]


def test_a_run_that_has_not_begun_has_only_been_decided() -> None:
    assert told(state="queued") == ALERT


def test_what_goes_on_has_no_end() -> None:
    assert told(state="planning", started_at=at(2)) == [*ALERT, ("begun", "02"), ("planned", None)]
    acts = {"started_at": at(2), "actions": [action(0, started_at=at(4), finished_at=None)]}
    assert told(state="applying", planned=3, **acts)[3:] == [("planned", "03"), ("action", None)]


def test_a_run_that_is_over_has_been_verified_and_has_ended() -> None:
    acts = [action(0, started_at=at(4), finished_at=at(6)), action(1, started_at=None, finished_at=None)]
    steps = told(state="finished", planned=3, started_at=at(2), finished_at=at(9), after=measurement(False),
                 actions=acts, outcome="effective")  # fmt: skip
    assert steps[3:] == [("planned", "03"), ("action", "06"), ("verified", "09"), ("ended", "09")]


def test_one_that_ended_before_it_measured_again_was_not_verified() -> None:
    steps = told(state="finished", started_at=at(2), finished_at=at(3), outcome="failed")
    assert steps == [*ALERT, ("begun", "02"), ("ended", "03")]


def test_each_plan_that_was_asked_about_is_there_with_its_answer() -> None:
    waits = told(approval(3, None, "asked"), state="waiting", started_at=at(2), planned=3)
    assert waits == [*ALERT, ("begun", "02"), ("planned", "03"), ("asked", None)]
    again = told(approval(3, 5, "superseded"), approval(8, 10, "approved"), state="applying", started_at=at(12),
                 planned=13)  # fmt: skip
    assert again[2:] == [
        ("planned", "03"), ("asked", "05"), ("approved", "05"), ("superseded", "08"), ("planned", "08"),
        ("asked", "10"), ("approved", "10"), ("begun", "12"), ("planned", "13"),
    ]  # fmt: skip
    late = told(approval(3, None, "cancelled"), state="finished", started_at=at(2), planned=3, finished_at=at(7))
    assert late[4:] == [("asked", "07"), ("cancelled", "07"), ("ended", "07")]


def test_what_no_alert_asked_for_begins_with_who_did() -> None:
    [first] = told(state="queued", trigger="cli", caller={"trigger": "cli", "name": "anna"})
    assert first == ("accepted", "01")
