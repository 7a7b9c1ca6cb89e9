"""Many alerts decided in one transaction are decided as if each came by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from remediator.guards.guard import Subject
from remediator.guards.judge import Gathered
from remediator.store.hosts import this_host
from tests.helpers import wait_until
from tests.remediator.stack import Stack, alert, notification


async def test_two_episodes_on_one_target_in_one_batch_make_one_run(stack: Stack) -> None:
    stack.clutter()
    await stack.receive(alert(), alert(severity="critical"))
    (run,) = await stack.finished(1)
    *_, second, first = (await stack.core.decisions())["items"]  # newest first; after the run it is looked at again
    assert (first["verdict"], first["run_id"]) == ("run", run["id"])
    assert (second["verdict"], second["guard"], second["run_id"]) == ("blocked", "in-flight", None)


async def test_new_repeated_and_unmatched_alerts_in_one_batch(stack: Stack) -> None:
    stack.clutter()
    known, stranger, nowhere = alert(), alert(alertname="Other"), alert(room="cellar")
    await stack.receive(known, stranger)
    await stack.finished(1)
    await stack.receive(known, stranger, nowhere)
    decided = {(each["verdict"], each["repeats"]) for each in (await stack.core.decisions())["items"]}
    assert decided == {("run", 1), ("unmatched", 1), ("no-target", 0)}
    assert len(await stack.finished(1)) == 1


def between(stack: Stack, happens: Callable[[], Awaitable[object]]) -> None:
    """Lets something happen once, after the guards' facts were gathered and before what follows is stored."""
    judge = stack.core.decider._judge
    gather = judge.gather

    async def then_it_happens(subjects: Collection[Subject], now: float) -> Gathered:
        known = await gather(subjects, now)
        judge.gather = gather  # type: ignore[method-assign]
        await happens()
        return known

    judge.gather = then_it_happens  # type: ignore[method-assign]


async def test_a_run_that_somebody_starts_in_between_is_a_recorded_block(stack: Stack) -> None:
    stack.clutter()
    between(stack, lambda: stack.core.start_run("sweep", "attic", False))
    await stack.receive(alert())
    (run,) = await stack.finished(1)
    first = (await stack.core.decisions())["items"][-1]
    assert (first["verdict"], first["guard"], first["run_id"]) == ("blocked", "in-flight", None)
    assert first["reason"] == f"run {run['id']} of the same task on this target is under way"


async def at_work(stack: Stack) -> bool:
    (run,) = (await stack.core.runs())["items"]
    return run["state"] == "applying"


async def test_a_run_that_ends_in_between_holds_nothing_back(stack: Stack) -> None:
    """Nothing would bring the next look: its end has been."""
    stack.clutter()
    stack.task.stuck = asyncio.Event()
    await stack.core.start_run("sweep", "attic", False)
    await wait_until(partial(at_work, stack), what="the run to be past its own guards")

    async def it_ends() -> None:
        assert stack.task.stuck is not None
        stack.task.stuck.set()
        await stack.finished(1)

    between(stack, it_ends)
    await stack.receive(alert())
    (decision,) = (await stack.core.decisions())["items"]
    assert (decision["verdict"], decision["guard"]) == ("blocked", "cooldown")
    assert decision["due_at"] is not None


async def test_a_batch_on_one_target_gathers_its_facts_once(stack: Stack) -> None:
    asked: list[Collection[Subject]] = []
    judge = stack.core.decider._judge
    gather = judge.gather

    async def counting(subjects: Collection[Subject], now: float) -> Gathered:
        asked.append(subjects)
        return await gather(subjects, now)

    judge.gather = counting  # type: ignore[method-assign]
    await stack.core.inbox.accept(notification(*(alert(number=str(number)) for number in range(50))))
    assert await stack.core.decider.decide_batch() == 50
    assert asked == [{Subject(this_host(), "sweep", "attic", by="tidy")}]
