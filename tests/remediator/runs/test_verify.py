"""The outcome of a run, from what was measured and done."""

import pytest

from remediator.model.task import Measurement, Plan, Row
from remediator.runs.verify import MAX_REASON, of_actions, of_empty_plan

WITHIN = Measurement(breached=False, detail="1 of 2")
OVER = Measurement(breached=True, detail="3 of 2")
DONE, SKIPPED = ("done", ""), ("skipped", "gone")
PARTIAL = ("partial", "deleted 9 files; left alone: a")


def failed(name: str) -> tuple[str, str]:
    return "failed", f"cannot delete {name}"


@pytest.mark.parametrize(
    ("before", "after", "improved", "states", "outcome", "reason"),
    [
        (OVER, WITHIN, True, [DONE], "effective", "1 of 2"),
        (WITHIN, WITHIN, False, [DONE], "effective", "1 of 2"),
        (WITHIN, WITHIN, False, [DONE, SKIPPED], "effective", "1 of 2"),
        (WITHIN, WITHIN, False, [SKIPPED], "nothing-to-do", "everything in the plan was gone or had changed since"),
        (OVER, WITHIN, True, [SKIPPED], "effective", "1 of 2"),
        (OVER, OVER, True, [DONE], "ineffective", "helped, not enough: 3 of 2"),
        (OVER, OVER, False, [DONE], "ineffective", "measured again, it is no better: 3 of 2"),
        (OVER, OVER, False, [SKIPPED], "ineffective", "measured again, it is no better: 3 of 2"),
        (WITHIN, OVER, False, [DONE], "ineffective", "measured again, it is no better: 3 of 2"),
        (OVER, WITHIN, True, [failed("a"), DONE], "effective", "1 of 2; but cannot delete a"),
        (WITHIN, WITHIN, False, [DONE, failed("a"), failed("b")], "effective",
            "1 of 2; but cannot delete a (and 1 more)"),
        (OVER, OVER, True, [DONE, failed("a")], "ineffective", "helped, not enough: 3 of 2; but cannot delete a"),
        (OVER, OVER, False, [failed("a"), failed("b")], "failed", "cannot delete a (and 1 more)"),
        (WITHIN, WITHIN, False, [failed("a"), SKIPPED], "failed", "cannot delete a"),
        (WITHIN, WITHIN, True, [PARTIAL], "effective", f"1 of 2; but only in part: {PARTIAL[1]}"),
        (WITHIN, WITHIN, True, [PARTIAL, failed("b")], "effective",
            f"1 of 2; but only in part: {PARTIAL[1]} (and 1 more)"),
        (OVER, OVER, True, [PARTIAL], "ineffective", f"helped, not enough: 3 of 2; but only in part: {PARTIAL[1]}"),
    ],
)  # fmt: skip
def test_the_outcome_tells_what_was_gained_and_what_is_stuck(
    before: Measurement,
    after: Measurement,
    improved: bool,
    states: list[tuple[str, str]],
    outcome: str,
    reason: str,
) -> None:
    conclusion = of_actions(before, after, improved, states)
    assert (conclusion.outcome, conclusion.reason) == (outcome, reason)


def test_not_enough_without_a_figure() -> None:
    over = Measurement(breached=True, detail="")
    assert of_actions(over, over, True, [DONE]).reason == "helped, not enough"


@pytest.mark.parametrize(
    ("before", "plan", "outcome", "reason"),
    [
        (WITHIN, Plan(), "nothing-to-do", "1 of 2"),
        (WITHIN, Plan(notes=["a stays"]), "nothing-to-do", "1 of 2"),
        (Measurement(breached=False), Plan(), "nothing-to-do", "nothing is over its limit"),
        (OVER, Plan(notes=["a stays.", "b stays."]), "ineffective", "a stays.; b stays."),
        (OVER, Plan(notes=["a" * (MAX_REASON + 1)]), "ineffective", "3 of 2"),
        (Measurement(breached=True), Plan(notes=["x" * 400]), "ineffective", "x" * 400),
        (OVER, Plan(rows=[Row()], notes=["one is accepted"]), "ineffective", "3 of 2"),
        (OVER, Plan(), "ineffective", "the task found nothing that it may do about it"),
    ],
)
def test_a_plan_without_actions(before: Measurement, plan: Plan, outcome: str, reason: str) -> None:
    conclusion = of_empty_plan(before, plan)
    assert (conclusion.outcome, conclusion.reason) == (outcome, reason)
