"""What a composite does next, and what became of it, by what is stored. Pure."""

import pytest

from remediator.model.parts import Child, PartState
from remediator.model.run import ActionResult
from remediator.model.taskfacts import Part
from remediator.model.words import ActionState, Outcome
from remediator.runs.parts import End, Finish, Start, Wait, next_step, result_of

PARTS = (Part("verify"), Part("clean"), Part("update", needs=("verify",)))


def states(*found: ActionState) -> list[PartState]:
    return [
        PartState(number, part.task, state, "") for number, (part, state) in enumerate(zip(PARTS, found, strict=True))
    ]


def child(task: str, outcome: Outcome | None, target: str = "all", number: int = 7) -> Child:
    return Child(number, task, target, "finished" if outcome else "queued", outcome, 5)


def test_the_first_part_begins() -> None:
    found = states("planned", "planned", "planned")
    assert next_step(PARTS, found, []) == Start(found[0])


def test_it_waits_while_a_run_of_the_part_is_under_way() -> None:
    runs = [child("verify", "effective"), child("verify", None, "other")]
    assert next_step(PARTS, states("running", "planned", "planned"), runs) == Wait()


def test_a_part_is_over_when_all_its_runs_are() -> None:
    found = states("running", "planned", "planned")
    step = next_step(PARTS, found, [child("verify", "effective"), child("clean", None)])
    assert step == End(found[0], ActionResult("done", "effective", 5))


@pytest.mark.parametrize("verified", ["failed", "partial", "skipped"])
def test_a_part_that_needs_another_is_left_out_unless_that_went_well(verified: ActionState) -> None:
    found = states(verified, "done", "planned")
    step = next_step(PARTS, found, [child("verify", "failed"), child("clean", "effective")])
    assert step == End(found[2], ActionResult("skipped", "it needs verify, which did not go well"))


def test_a_part_that_needs_nothing_goes_on_after_a_failure() -> None:
    found = states("failed", "planned", "planned")
    assert next_step(PARTS, found, [child("verify", "failed")]) == Start(found[1])


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["effective", "nothing-to-do"], "done"),
        (["planned"], "done"),
        (["effective", "failed"], "partial"),
        (["ineffective"], "failed"),
        (["blocked", "denied"], "skipped"),
        (["blocked", "failed"], "failed"),
        ([], "skipped"),
    ],
)
def test_what_became_of_a_part(outcomes: list[Outcome], state: str) -> None:
    assert result_of([child("clean", outcome) for outcome in outcomes]).state == state


@pytest.mark.parametrize(
    ("found", "children", "outcome", "reason"),
    [
        (("done", "done", "done"), [child("verify", "nothing-to-do"), child("clean", "effective")],
         "effective", "2 runs, all well"),
        (("done", "done", "done"), [child("verify", "planned"), child("clean", "nothing-to-do")],
         "planned", "2 runs, all well"),
        (("done", "failed", "done"), [child("verify", "effective"), child("clean", "failed")],
         "failed", "2 runs; clean on all failed"),
        (("skipped", "done", "skipped"), [child("clean", "effective")],
         "effective", "1 run, all well; left out: verify, update"),
        (("failed", "done", "skipped"), [child("verify", "ineffective"), child("clean", "effective")],
         "ineffective", "2 runs; verify on all ineffective; left out: update"),
        (("skipped", "done", "skipped"), [child("verify", "blocked"), child("clean", "effective")],
         "blocked", "2 runs; verify on all blocked; left out: update"),
        (("skipped", "skipped", "skipped"), [], "nothing-to-do", "0 runs, all well; left out: verify, clean, update"),
    ],
)  # fmt: skip
def test_the_outcome_is_the_worst_of_the_children(
    found: tuple[ActionState, ...], children: list[Child], outcome: Outcome, reason: str
) -> None:
    step = next_step(PARTS, states(*found), children)
    assert isinstance(step, Finish)
    assert (step.conclusion.outcome, step.conclusion.reason) == (outcome, reason)


def test_once_cancelled_no_part_begins_and_the_one_under_way_is_waited_for() -> None:
    why = "cancelled by ann"
    under_way = states("running", "planned", "planned")
    assert next_step(PARTS, under_way, [child("verify", None)], why) == Wait()
    ended = next_step(PARTS, states("done", "planned", "planned"), [child("verify", "effective")], why)
    assert isinstance(ended, End)
    assert (ended.part.task, ended.result.state) == ("clean", "skipped")
    end = next_step(PARTS, states("done", "skipped", "skipped"), [child("verify", "effective")], why)
    assert isinstance(end, Finish)
    assert end.conclusion.outcome == "cancelled"
    assert end.conclusion.reason == "cancelled by ann; 1 run, all well; left out: clean, update"
