"""Guards at work: alerts that come, and what holds their runs back until it no longer does."""

import asyncio

import pytest

from remediator.config.guards import Budget, GuardSettings, Storm, in_force
from remediator.config.remedies import Remedy
from remediator.config.window import Window
from remediator.model.errors import ClientError
from remediator.model.hold import HOUR
from tests.helpers import wait_until
from tests.remediator.stack import START, Stack, alert, settings


def guarded(stack: Stack, **guards: object) -> None:
    """Puts a config in force whose ``guards:`` say so."""
    given = GuardSettings(**guards)  # type: ignore[arg-type]
    stack.remedies = [in_force(remedy, given) for remedy in stack.remedies]
    stack.core.apply_settings(settings(stack.task, stack.remedies))


async def blocked_by(stack: Stack) -> list[tuple[str | None, str | None]]:
    """Target and guard of the newest decision about each alert that was held back."""
    seen: dict[int, tuple[str | None, str | None]] = {}
    for one in (await stack.core.decisions())["items"]:
        seen.setdefault(one["alert_id"], (one["target"], one["guard"]) if one["verdict"] == "blocked" else ("", ""))
    return [each for each in seen.values() if each != ("", "")]


async def test_two_that_interrupt_something_run_one_after_the_other(stack: Stack, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    stack.task.facts = stack.task.facts._replace(disruption="brief")  # type: ignore[misc]
    stack.task.cellar = tmp_path_factory.mktemp("cellar")
    (stack.task.cellar / "f").touch()
    stack.task.stuck = asyncio.Event()
    stack.clutter(1)
    await stack.receive(alert(), alert(room="cellar"))
    await wait_until(lambda: stack.task.applied, what="the first to act")
    assert await blocked_by(stack) == [("cellar", "concurrency")]
    with pytest.raises(ClientError, match=r"concurrency: run 1 \(sweep on attic\) comes first"):
        await stack.core.start_run("sweep", "cellar")
    stack.task.stuck.set()
    first, second = await stack.finished(2, looking=True)
    assert [run["target"] for run in (first, second)] == ["attic", "cellar"]
    assert [run["outcome"] for run in (first, second)] == ["effective", "effective"]
    assert second["started_at"] >= first["finished_at"]  # type: ignore[operator]


async def test_what_does_not_interrupt_anything_runs_side_by_side(stack: Stack, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    stack.task.cellar = tmp_path_factory.mktemp("cellar")
    (stack.task.cellar / "f").touch()
    stack.task.stuck = asyncio.Event()
    stack.clutter(1)
    await stack.receive(alert(), alert(room="cellar"))
    await wait_until(lambda: len(stack.task.applied), equals=2, what="both to act")
    stack.task.stuck.set()
    await stack.finished(2)


async def test_it_runs_when_its_window_opens(stack: Stack) -> None:
    """START is 2027-01-15 08:00 UTC."""
    guarded(stack, window=[Window.model_validate({"from": "10:00", "to": "11:00", "timezone": "UTC"})])
    stack.clutter()
    await stack.receive(alert())
    (decision,) = (await stack.core.decisions())["items"]
    assert (decision["guard"], decision["due_at"]) == ("window", "2027-01-15T10:00:00.000Z")
    plan = await stack.core.plan("sweep", "attic")
    assert [guard["guard"] for guard in plan["guards"]] == ["window"]
    await stack.receive(alert())  # still firing, by Alertmanager's word
    stack.clock.now = START + 2 * HOUR - 60
    await stack.receive(alert())
    await stack.pass_time(60)
    (run,) = await stack.finished()
    assert run["outcome"] == "effective"


async def test_a_plan_over_the_budget_is_blocked_as_a_whole(stack: Stack) -> None:
    guarded(stack, budget=Budget(items_per_run=2, items_per_day=3))
    stack.clutter(3)
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert (run["outcome"], stack.task.applied) == ("blocked", [])
    assert run["reason"].startswith("budget: the plan is about 3 objects, of 2 objects allowed in one run")
    for file in stack.attic.iterdir():
        file.unlink()
    stack.clutter(2)
    await stack.core.start_run("sweep", "attic")
    await stack.finished(2)
    stack.clutter(2)
    await stack.pass_time(120)
    _, _, last = await stack.finished(3)
    spent = "budget: 2 objects of 3 objects allowed in any day are spent, and the plan is about 2"
    assert last["reason"].startswith(spent)
    assert len(list(stack.attic.iterdir())) == 2


async def test_in_a_storm_nothing_runs_by_itself(stack: Stack) -> None:
    guarded(stack, storm=Storm(alerts=3, within=600.0))
    stack.clutter()
    await stack.receive(*(alert(room=room) for room in ("a", "b", "c")))
    await stack.receive(alert())
    assert ("attic", "storm") in await blocked_by(stack)
    await stack.core.start_run("sweep", "attic")
    await stack.finished(1)
    stack.clutter()
    await stack.pass_time(600)
    await stack.finished(2)


def test_a_remedy_says_what_differs() -> None:
    remedy = Remedy.model_validate(
        {"name": "a", "match": ["a=b"], "task": "t", "target": "x", "rate": {"per_hour": 2}, "window": []}
    )
    general = GuardSettings.model_validate({"rate": {"per_hour": 3, "per_day": 7}, "cooldown": "1h", "window": [{}]})
    found = in_force(remedy, general)
    assert (found.rate.per_hour, found.rate.per_day, found.cooldown, found.window) == (2, 7, HOUR, [])
    assert (found.name, found.target) == ("a", "x")
