"""How much a plan, and a day, may remove."""

from dataclasses import replace

import pytest
from pydantic import ByteSize

from remediator.config.guards import Budget, GuardSettings
from remediator.guards.budget import Spending, blocks
from remediator.model.hold import DAY
from remediator.model.task import Action, Plan
from remediator.store.spending import Spent
from tests.remediator.guards.cases import NOW, case

SETTINGS = GuardSettings(
    budget=Budget(bytes_per_run=ByteSize(100), items_per_run=10, bytes_per_day=ByteSize(200), items_per_day=20)
)
TOO_LARGE = "the plan is about 101 B, of 100 B allowed in one run; nothing of it is done"


def plan(*sizes: int, items: int = 1) -> Plan:
    return Plan(actions=[Action(kind="x", object="y", reason="z", estimated_bytes=size, items=items) for size in sizes])


def ago(seconds: float, size: int, items: int = 1) -> Spent:
    return Spent(NOW - seconds, size, items)


@pytest.mark.parametrize(
    ("planned", "spent", "reason", "until"),
    [
        pytest.param(None, [], None, None, id="nothing spent, no plan yet"),
        pytest.param(plan(60, 40), [], None, None, id="all that is allowed"),
        pytest.param(plan(60, 41), [], TOO_LARGE, None, id="too large a plan"),
        pytest.param(
            plan(1, items=11),
            [],
            "the plan is about 11 objects, of 10 objects allowed in one run; nothing of it is done",
            None,
            id="too many objects",
        ),
        pytest.param(plan(-50, 100), [], None, None, id="an action that takes room is no credit: not over"),
        pytest.param(plan(-50, 101), [], TOO_LARGE, None, id="an action that takes room is no credit: over"),
        pytest.param(plan(100), [ago(5, 100)], None, None, id="the day is full by it"),
        pytest.param(
            plan(100),
            [ago(5, 60), ago(9, 41)],
            "101 B of 200 B allowed in any day are spent, and the plan is about 100 B; there is room in 23h59m51s",
            NOW - 9 + DAY,
            id="over the day by one",
        ),
        pytest.param(
            plan(100),
            [ago(5, 160), ago(9, 10)],
            "170 B of 200 B allowed in any day are spent, and the plan is about 100 B; there is room in 23h59m55s",
            NOW - 5 + DAY,
            id="the older does not make room enough",
        ),
        pytest.param(
            None,
            [ago(5, 200)],
            "200 B of 200 B allowed in any day are spent; there is room in 23h59m55s",
            NOW - 5 + DAY,
            id="nothing left, before there is a plan",
        ),
        pytest.param(None, [ago(5, 199)], None, None, id="something left, before there is a plan"),
        pytest.param(
            None, [Spent(None, 200, 1)], "200 B of 200 B allowed in any day are spent", None, id="a run under way"
        ),
        pytest.param(
            plan(1),
            [ago(5, 0, items=20)],
            "20 objects of 20 objects allowed in any day are spent, and the plan is about 1 objects; "
            "there is room in 23h59m55s",
            NOW - 5 + DAY,
            id="objects of a day",
        ),
    ],
)
def test_what_is_over_it(planned: Plan | None, spent: list[Spent], reason: str | None, until: float | None) -> None:
    asked = replace(case(SETTINGS), plan=planned)
    hold = blocks(Spending(spent), asked)
    assert (hold.reason if hold is not None else None) == reason
    assert (hold.until if hold is not None else None) == until
    if until is not None:
        later = [each for each in spent if each.at is None or each.at > until - DAY]
        assert blocks(Spending(later), replace(asked, now=until)) is None


def test_a_plan_that_no_day_can_hold_is_not_waited_for() -> None:
    small = GuardSettings(budget=Budget(bytes_per_day=ByteSize(50)))
    hold = blocks(Spending([ago(5, 10)]), replace(case(small), plan=plan(51)))
    assert hold is not None
    assert hold.reason == "the plan is about 51 B, of 50 B allowed in a day; nothing of it is done"
    assert hold.until is None


def test_without_a_budget_nothing_is_asked() -> None:
    assert blocks(Spending(), replace(case(), plan=plan(10**15, items=10**6))) is None
    with pytest.raises(LookupError):
        blocks(Spending(), case(SETTINGS))
