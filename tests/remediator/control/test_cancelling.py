"""Cancelling runs, with the real engine and record."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from remediator.model.errors import RequestError
from remediator.model.shapes.runs import RunView
from remediator.model.task import Action, Params, TaskError
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import Stack, alert, settings

HOUR = 3600.0


async def acting(stack: Stack, files: int = 3) -> RunView:
    """A run that is in the middle of its first action."""
    stack.clutter(files)
    stack.task.stuck = asyncio.Event()
    run = await stack.core.start_run("sweep", "attic")
    await wait_until(lambda: stack.task.applied, equals=["f0"])
    return run


def actions(run: RunView) -> list[tuple[str, str]]:
    return [(action["object"], action["state"]) for action in run["actions"]]


async def audited(stack: Stack, run_id: int) -> list[str]:
    return [record["kind"] for record in (await stack.core.audit(run=run_id))["items"]][::-1]


async def test_the_action_under_way_ends_and_no_other_begins(stack: Stack) -> None:
    run = await acting(stack)
    seen = await stack.core.cancel_run(run["id"], "not now")
    assert (seen["state"], seen["outcome"]) == ("applying", None)
    assert seen["cancelled"] == "cancelled by cli: not now"
    assert stack.task.stuck is not None
    stack.task.stuck.set()
    (ended,) = await stack.finished()
    assert ended["outcome"] == "cancelled"
    assert ended["reason"] == "cancelled by cli: not now; 1 of 3 actions had been done; now 2 files"
    assert actions(ended) == [("f0", "done"), ("f1", "skipped"), ("f2", "skipped")]
    assert ended["actions"][1]["detail"] == "the run was cancelled before it was done"
    assert ended["after"] is not None
    assert stack.task.applied == ["f0"]
    assert await audited(stack, run["id"]) == [
        "run.asked", "run.planned", "action.started", "run.cancelled", "action.finished",
        "action.finished", "action.finished", "run.finished",
    ]  # fmt: skip


async def test_how_far_an_action_is_shows_while_it_is_under_way(stack: Stack) -> None:
    run = await acting(stack)
    seen = await stack.core.run(run["id"])
    assert seen["progress"] == {"position": 0, "done": 1, "total": 10, "unit": "files", "doing": ""}
    assert stack.task.stuck is not None
    stack.task.stuck.set()
    await stack.finished()
    assert "progress" not in await stack.core.run(run["id"])


async def test_to_cancel_twice_is_to_cancel_once_and_what_has_ended_cannot_be(stack: Stack) -> None:
    run = await acting(stack)
    await stack.core.cancel_run(run["id"], "first")
    assert (await stack.core.cancel_run(run["id"], "second"))["cancelled"] == "cancelled by cli: first"
    assert stack.task.stuck is not None
    stack.task.stuck.set()
    await stack.finished()
    with pytest.raises(RequestError, match="run 1 has ended: upkeeper show 1") as refusal:
        await stack.core.cancel_run(run["id"])
    assert refusal.value.status == 409
    with pytest.raises(RequestError, match="there is no run 9") as refusal:
        await stack.core.cancel_run(9)
    assert refusal.value.status == 404
    assert (await audited(stack, run["id"])).count("run.cancelled") == 1


async def test_a_run_that_acts_stays_cancelled_over_a_restart(stack: Stack) -> None:
    run = await acting(stack)
    await stack.core.cancel_run(run["id"])
    stack.task.stuck = None
    await stack.restart()
    (ended,) = await stack.finished()
    assert ended["outcome"] == "cancelled"
    assert stack.task.applied == ["f0"]
    assert {state for _, state in actions(ended)} == {"skipped"}


async def test_what_waits_for_a_person_ends_at_once_with_its_request(stack: Stack) -> None:
    stack.remedies = [REMEDY.model_copy(update={"autonomy": "approve"})]
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    stack.clutter(1)
    await stack.receive(alert())

    async def waits() -> bool:
        return (await stack.core.run(1))["state"] == "waiting"

    await wait_until(waits, what="the run to wait")
    ended = await stack.core.cancel_run(1)
    assert (ended["state"], ended["outcome"]) == ("finished", "cancelled")
    assert ended["reason"] == "cancelled by cli; nothing had been done"
    asked = await stack.core.approval(1)
    assert (asked["state"], asked["reason"]) == ("cancelled", "cancelled by cli")
    with pytest.raises(RequestError, match="approval 1 is over: cancelled"):
        await stack.core.decide_approval(1, "approve", asked["plan_hash"])
    assert stack.task.applied == []


async def test_its_remedy_has_another_turn_after_a_day_and_the_target_is_free_at_once(stack: Stack) -> None:
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    await wait_until(lambda: stack.task.applied, equals=["f0"])
    await stack.core.cancel_run(1)
    stack.task.useless = True
    stack.task.stuck.set()
    await stack.finished()
    for _ in range(4):
        await stack.receive(alert())  # it goes on firing
        await stack.pass_time(5 * HOUR)
    assert len(await stack.finished()) == 1
    stack.task.useless = False
    await stack.core.start_run("sweep", "attic")
    assert (await stack.finished(2))[1]["outcome"] == "effective"
    stack.clutter(1)
    await stack.pass_time(4 * HOUR + 1)
    await stack.receive(alert())
    assert len(await stack.finished(3)) == 3


async def test_while_a_run_plans_it_ends_at_once_and_does_nothing_afterwards(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.clutter(1)
    planning, go_on = asyncio.Event(), asyncio.Event()
    plan = stack.task.plan

    async def slowly(target: str, params: Params) -> object:
        planning.set()
        await go_on.wait()
        return await plan(target, params)

    monkeypatch.setattr(stack.task, "plan", slowly)
    await stack.core.start_run("sweep", "attic")
    async with asyncio.timeout(60):
        await planning.wait()
    ended = await stack.core.cancel_run(1)
    assert (ended["state"], ended["outcome"]) == ("finished", "cancelled")
    go_on.set()

    async def at_rest() -> bool:
        assert stack.core.queue._engine is not None
        return not stack.core.queue._engine._under_way

    await wait_until(at_rest, what="the engine to be done with it")
    seen = await stack.core.run(1)
    assert (seen["actions"], seen["outcome"], stack.task.applied) == ([], "cancelled", [])
    assert (await audited(stack, 1))[-1] == "run.finished"


async def test_cancelled_at_any_moment_it_ends_once_and_nothing_begins_afterwards(stack: Stack) -> None:
    """At whatever step it is met: from queued to verified."""
    outcomes = set()
    for turn in range(12):
        stack.clutter(3)
        run = await stack.core.start_run("sweep", "attic")
        for _ in range(turn):
            await asyncio.sleep(0.004)
        with suppress(RequestError):  # it has ended, or has no action left
            await stack.core.cancel_run(run["id"])
        ended = (await stack.finished(turn + 1))[-1]
        kinds = await audited(stack, run["id"])
        assert kinds.count("run.finished") == 1
        if "run.cancelled" in kinds:
            assert ended["outcome"] == "cancelled"
            assert "action.started" not in kinds[kinds.index("run.cancelled") :]
        outcomes.add(ended["outcome"])
        for left in stack.attic.iterdir():
            left.unlink()
    assert outcomes >= {"cancelled"}


async def test_a_task_clears_up_after_a_run_that_was_cancelled(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[tuple[str, list[str]]] = []

    async def clear_up(target: str, actions: Sequence[Action]) -> str:
        cleared.append((target, [action.object for action in actions]))
        raise TaskError("the disk is gone")  # of which the run's end does not hang

    monkeypatch.setattr(stack.task, "clear_up", clear_up, raising=False)
    run = await acting(stack)
    await stack.core.cancel_run(run["id"], "not now")
    assert stack.task.stuck is not None
    stack.task.stuck.set()
    (ended,) = await stack.finished()
    assert ended["outcome"] == "cancelled"
    assert cleared == [("attic", ["f0", "f1", "f2"])]
