"""Whether a person must approve a plan, and has."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from remediator.guards.approval import Approved, blocks
from remediator.guards.guard import Sources, Subject
from remediator.model.approval import former_plan_hash, plan_hash
from remediator.model.caller import Caller
from remediator.model.run import Request
from remediator.model.task import Action, Plan
from remediator.store import approvals, runs
from remediator.store.database import Database
from tests.remediator.guards.cases import NOW, case

PLAN = Plan(actions=[Action(kind="delete", object="f", reason="a file")])
OTHER = Plan(actions=[Action(kind="delete", object="g", reason="a file")])
ASKING = replace(case(), plan=PLAN, autonomy="approve")


def hash_of(plan: Plan, **elsewhere: object) -> str:
    at = {"host": "here", "task": "t", "target": "attic", **elsewhere}
    return plan_hash(plan.actions, **at)  # type: ignore[arg-type]


def test_an_approval_covers_the_plan_of_its_place_alone() -> None:
    for elsewhere in ({"host": "there"}, {"task": "u"}, {"target": "cellar"}, {"params": {"older": 3}}):
        changed = blocks(Approved(hash_of(PLAN, **elsewhere)), ASKING)
        assert changed is not None, elsewhere
        assert changed.asks, elsewhere
    with_params = replace(ASKING, params={"older": 3})
    assert blocks(Approved(hash_of(PLAN, params={"older": 3})), with_params) is None
    assert blocks(Approved(hash_of(PLAN)), with_params) is not None


def test_what_was_approved_before_an_upgrade_is_still_approved() -> None:
    """Earlier releases kept the hash of the actions alone, with the run it was for."""
    assert blocks(Approved(former_plan_hash(PLAN.actions)), ASKING) is None
    assert blocks(Approved(former_plan_hash(OTHER.actions)), ASKING) is not None


def test_only_a_plan_that_would_do_something_needs_an_approval() -> None:
    assert blocks(Approved(), replace(ASKING, plan=None)) is None
    assert blocks(Approved(), replace(ASKING, plan=Plan())) is None
    assert blocks(Approved(), replace(ASKING, autonomy="auto")) is None


@pytest.mark.parametrize("autonomy", ["approve", "observe"])
def test_what_acts_only_with_a_person_is_held_until_one_has_approved_this_plan(autonomy: str) -> None:
    asking = replace(ASKING, autonomy=autonomy)  # type: ignore[arg-type]
    hold = blocks(Approved(), asking)
    assert hold is not None
    assert (hold.asks, hold.reason) == (True, "a person must approve what its remedy would do")
    assert blocks(Approved(hash_of(PLAN)), asking) is None
    changed = blocks(Approved(hash_of(OTHER)), asking)
    assert changed is not None
    assert changed.reason.startswith("the plan has changed since it was approved; ")


def test_a_task_can_need_one_whoever_asks() -> None:
    hold = blocks(Approved(), replace(ASKING, autonomy="auto", always_approve=True))
    assert hold is not None
    assert hold.asks


def test_a_plan_can_need_one_unless_a_person_has_asked_for_the_run() -> None:
    asking = replace(ASKING, autonomy="auto", plan=PLAN.model_copy(update={"asks": "it is not labelled auto"}))
    hold = blocks(Approved(), asking)
    assert hold is not None
    assert (hold.asks, hold.reason) == (True, "it is not labelled auto")
    assert blocks(Approved(hash_of(PLAN)), asking) is None
    by_hand = replace(asking, by_hand=True)
    assert blocks(Approved(), by_hand) is None
    changed = blocks(Approved(hash_of(OTHER)), by_hand)  # the attempt that an approval began
    assert changed is not None
    assert changed.reason.startswith("the plan has changed since it was approved; ")


async def test_what_was_approved_is_read_from_the_record(tmp_path: Path) -> None:
    database = Database(tmp_path / "upkeeper.db", host="here")
    await database.migrate()
    request = Request(host="here", task="sweep", target="attic", caller=Caller("alert", "tidy"), dry_run=False)
    run_id = await database.write(partial(runs.create, request=request, now=NOW))
    mine, none = Subject("here", "sweep", "attic", run_id=run_id), Subject("here", "sweep", "attic")

    async def known() -> dict[Subject, str | None]:
        found = await Approved.gather({mine, none}, Sources(database), NOW)
        return {subject: facts.plan_hash for subject, facts in found.items()}

    assert await known() == {mine: None, none: None}
    ask = partial(approvals.ask, run_id=run_id, host="here", plan=PLAN, plan_hash="abc", why="", now=NOW, until=NOW + 9)
    number = await database.write(ask)
    assert await known() == {mine: None, none: None}
    answer = partial(approvals.decide, approval_id=number, plan_hash="abc", state="approved", by=Caller("cli", "ann"))
    assert await database.write(partial(answer, reason="", now=NOW + 1))
    assert not await database.write(partial(answer, reason="", now=NOW + 1))
    assert await known() == {mine: "abc", none: None}
    await database.close()
