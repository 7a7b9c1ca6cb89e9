"""The steps of a run, called one by one on a database, without an engine, also twice; and what a plan is judged by."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from exporter.docker.engine import DockerUnavailable
from remediator.decide.means import Means
from remediator.decide.remedies import Remedies
from remediator.guards.guard import Case, Guard, Sources
from remediator.guards.history import History
from remediator.guards.judge import Judge
from remediator.guards.registry import GUARDS
from remediator.metrics import Metrics
from remediator.model.caller import Caller
from remediator.model.hold import Hold, Pause
from remediator.model.run import Request
from remediator.model.shapes.runs import RunView
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Params, Plan, Task
from remediator.model.taskfacts import PLAN_MAX_AGE
from remediator.runs.cases import case_of
from remediator.runs.closing import Closing
from remediator.runs.steps import AT_ONCE, Runner
from remediator.store import holds, pages, runs, slots
from remediator.store.database import Database
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Clock, Stack, alert, settings
from tests.remediator.sweep import Only, Sweep

PERSON = Caller("cli", "ann")


@dataclass
class Scene:
    """A run of the sweep that is asked for, and the steps that would do it."""

    runner: Runner
    database: Database
    task: Sweep
    tasks: dict[str, Task]
    clock: Clock
    ended: list[float]
    """When a run has ended, by the clock."""

    async def asked(self, *, dry_run: bool = False, params: Params = NO_PARAMS) -> int:
        request = Request(
            host=self.database.host, task="sweep", target="attic", caller=PERSON, dry_run=dry_run, params=params
        )
        return await self.database.write(partial(runs.create, request=request, now=self.clock.now))

    async def run(self, number: int) -> RunView:
        return await self.database.read(partial(pages.one_run, run_id=number))

    async def outcome(self, number: int) -> tuple[str | None, str]:
        run = await self.run(number)
        return run["outcome"], run["reason"]

    def clutter(self, count: int = 2) -> None:
        for each in range(count):
            (self.task.directory / f"f{each}").touch()


@pytest.fixture
async def scene(tmp_path: Path, migrated: Path) -> AsyncIterator[Scene]:
    attic = tmp_path / "attic"
    attic.mkdir()
    path = tmp_path / "upkeeper.db"
    shutil.copy(migrated, path)
    database, task, clock = Database(path), Sweep(attic), Clock(START)
    await database.migrate()
    tasks: dict[str, Task] = {"sweep": task}
    ended: list[float] = []
    metrics = Metrics(CollectorRegistry())
    judge = Judge(Sources(database, tasks=lambda: tasks))
    means = Means(database, judge, lambda: tasks, lambda: Remedies([]), clock)
    runner = Runner(means, metrics, Closing(metrics, lambda _: ended.append(clock.now)), lambda: None)
    yield Scene(runner, database, task, tasks, clock, ended)
    await database.close()


async def test_measured_planned_done_and_measured_again(scene: Scene) -> None:
    scene.clutter(2)
    number = await scene.asked()
    assert await scene.runner.measure(number) == "go-on"
    assert await scene.runner.plan(number) == 2
    for position in range(2):
        await scene.runner.apply(number, position)
    assert scene.ended == []
    await scene.runner.verify(number)
    assert await scene.outcome(number) == ("effective", "0 files")
    assert scene.ended == [START]
    assert not await scene.runner.unfinished()


async def test_each_step_may_be_done_twice(scene: Scene) -> None:
    """As after a crash between what a step did and the engine's note of it."""
    scene.clutter(2)
    number = await scene.asked()
    for _ in range(2):
        assert await scene.runner.measure(number) == "go-on"
    for _ in range(2):
        assert await scene.runner.plan(number) == 2
    for position in (0, 0, 1, 1):
        await scene.runner.apply(number, position)
    for _ in range(2):
        await scene.runner.verify(number)
    run = await scene.run(number)
    assert [action["state"] for action in run["actions"]] == ["done", "done"], "what is noted is not done again"
    assert scene.task.applied == ["f0", "f1"]
    assert (run["outcome"], run["reason"]) == ("effective", "0 files")
    assert scene.ended == [START], "it ended once"


class Crowd(Sweep):
    """A sweep most of whose files go together: those whose name begins alike."""

    most_together = 6

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.at_once = self.at_most = 0
        self.buggy = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.recorded: list[str] = []
        """The states of the actions, when the first of them is done."""

    def together(self, actions: Sequence[Action]) -> int:
        return len([each for each in actions if each.object[0] == actions[0].object[0]])

    async def apply(self, target: str, action: Action) -> Effect:
        self.at_once += 1
        self.at_most = max(self.at_most, self.at_once)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        await self.gate.wait()
        self.at_once -= 1
        if action.object == self.buggy:
            raise ZeroDivisionError
        return await super().apply(target, action)


@pytest.fixture
def crowd(scene: Scene) -> Crowd:
    task = scene.task = Crowd(scene.task.directory)
    scene.tasks["sweep"] = task
    for name in ("a0", "a1", "a2", "a3", "a4", "a5", "a6", "b0"):
        (task.directory / name).touch()
    return task


async def states_of(scene: Scene, number: int) -> list[str]:
    return [action["state"] for action in (await scene.run(number))["actions"]]


async def begun(scene: Scene) -> int:
    number = await scene.asked()
    await scene.runner.measure(number)
    assert await scene.runner.plan(number) == 8
    return number


async def test_what_may_go_together_does_and_all_of_it_is_noted_before(scene: Scene, crowd: Crowd) -> None:
    number = await begun(scene)

    async def look() -> None:
        crowd.recorded = await states_of(scene, number)
        await wait_until(lambda: crowd.at_once, equals=AT_ONCE)
        crowd.gate.set()

    crowd.gate.clear()
    crowd.meanwhile = look
    assert await scene.runner.apply(number, 0) == 6, "at most as many as the task says"
    assert crowd.recorded == ["running"] * 6 + ["planned"] * 2
    assert crowd.at_most == AT_ONCE
    assert await states_of(scene, number) == ["done"] * 6 + ["planned"] * 2
    assert await scene.runner.apply(number, 0) == 6, "what is noted is not done again"
    assert await scene.runner.apply(number, 6) == 1
    assert await scene.runner.apply(number, 7) == 1
    assert sorted(crowd.applied) == ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "b0"]
    await scene.runner.verify(number)
    assert await scene.outcome(number) == ("effective", "0 files")


async def test_killed_amid_what_goes_together_each_is_looked_at_once_more(scene: Scene, crowd: Crowd) -> None:
    number = await begun(scene)
    stuck = asyncio.Event()
    crowd.meanwhile = stuck.wait
    step = asyncio.create_task(scene.runner.apply(number, 0))
    await wait_until(lambda: len(crowd.applied), equals=5)  # the first hangs, the others went past it
    step.cancel()
    await asyncio.wait([step])
    assert await states_of(scene, number) == ["running"] * 6 + ["planned"] * 2, "nobody says that any of them ended"
    crowd.at_once = 0
    assert await scene.runner.apply(number, 0) == 6
    assert sorted(await states_of(scene, number)) == ["done"] + ["planned"] * 2 + ["skipped"] * 5
    run = await scene.run(number)
    assert {action["detail"] for action in run["actions"] if action["state"] == "skipped"} == {"gone already"}


async def test_a_bug_in_one_keeps_what_became_of_the_others(scene: Scene, crowd: Crowd) -> None:
    number = await begun(scene)
    crowd.buggy = "a2"
    await scene.runner.apply(number, 0)
    assert await states_of(scene, number) == ["done", "done", "failed", "done", "done", "done", "planned", "planned"]


async def test_cancelled_amid_what_goes_together_nothing_more_begins(scene: Scene, crowd: Crowd) -> None:
    number = await begun(scene)

    async def cancel() -> None:
        await wait_until(lambda: crowd.at_once, equals=AT_ONCE)
        await scene.database.write(partial(runs.cancel, run_id=number, why="enough"))
        crowd.gate.set()

    crowd.gate.clear()
    crowd.meanwhile = cancel
    await scene.runner.apply(number, 0)
    states = await states_of(scene, number)
    assert sorted(states[:6]) == ["done"] * AT_ONCE + ["skipped"] * 2
    assert len(crowd.applied) == AT_ONCE


async def test_a_dry_run_ends_with_its_plan(scene: Scene) -> None:
    scene.clutter(1)
    number = await scene.asked(dry_run=True)
    assert await scene.runner.measure(number) == "go-on"
    assert await scene.runner.plan(number) == 0
    assert await scene.outcome(number) == ("planned", "dry run: 1 action planned, nothing done")
    assert scene.task.applied == []


async def test_with_nothing_to_plan_it_ends(scene: Scene) -> None:
    number = await scene.asked()
    assert await scene.runner.measure(number) == "go-on"
    assert await scene.runner.plan(number) == 0
    assert await scene.outcome(number) == ("nothing-to-do", "0 files")


async def test_a_guard_between_the_plan_and_its_first_action_blocks(scene: Scene) -> None:
    scene.clutter(1)
    number = await scene.asked()
    await scene.runner.measure(number)
    held = Pause("sweep", "moving house", START, None, PERSON)
    await scene.database.write(lambda connection: holds.pause(connection, scene.database.host, held))
    assert await scene.runner.plan(number) == 0
    outcome, reason = await scene.outcome(number)
    assert (outcome, reason.partition(":")[0]) == ("blocked", "paused")
    assert scene.task.applied == []


async def test_a_plan_is_made_for_the_parameters_of_its_run(scene: Scene) -> None:
    scene.clutter(3)
    scene.task.parameters = Only
    number = await scene.asked(params={"only": "f1"})
    await scene.runner.measure(number)
    assert await scene.runner.plan(number) == 1
    assert [action["object"] for action in (await scene.run(number))["actions"]] == ["f1"]


async def test_a_task_says_how_long_its_plans_hold(scene: Scene) -> None:
    scene.clutter(1)
    scene.task.facts = Sweep.facts._replace(plan_max_age=3 * PLAN_MAX_AGE)
    number = await scene.asked()
    await scene.runner.measure(number)
    await scene.runner.plan(number)
    scene.clock.now += 2 * PLAN_MAX_AGE
    await scene.runner.apply(number, 0)
    await scene.runner.verify(number)
    assert (await scene.outcome(number))[0] == "effective"


async def test_what_is_left_of_an_old_plan_is_not_done(scene: Scene) -> None:
    scene.clutter(2)
    number = await scene.asked()
    await scene.runner.measure(number)
    await scene.runner.plan(number)
    await scene.runner.apply(number, 0)
    scene.clock.now += PLAN_MAX_AGE + 1
    await scene.runner.apply(number, 1)
    await scene.runner.verify(number)
    run = await scene.run(number)
    assert [(action["state"], action["detail"]) for action in run["actions"]] == [
        ("done", ""),
        ("skipped", "the plan is too old"),
    ]
    assert run["outcome"] == "expired"
    assert len(scene.task.applied) == 1


async def test_a_task_that_is_gone_or_fails_is_told_in_the_outcome(scene: Scene) -> None:
    scene.clutter(1)
    scene.task.broken = True
    number = await scene.asked()
    await scene.runner.measure(number)
    await scene.runner.plan(number)
    await scene.runner.apply(number, 0)
    await scene.runner.verify(number)
    assert await scene.outcome(number) == ("failed", "f0 will not go")
    scene.tasks.clear()
    later = await scene.asked()
    assert await scene.runner.measure(later) == "stop"
    assert await scene.outcome(later) == ("failed", "task sweep is no longer available")


async def test_what_a_client_raises_is_told_as_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def measure(target: str) -> Measurement:
        raise DockerUnavailable("cannot reach the Docker engine: no such file")

    monkeypatch.setattr(scene.task, "measure", measure)
    number = await scene.asked()
    assert await scene.runner.measure(number) == "stop"
    assert await scene.outcome(number) == ("failed", "cannot reach the Docker engine: no such file")


async def test_what_the_engine_gave_up_is_closed_once(scene: Scene) -> None:
    number = await scene.asked()
    assert await scene.runner.unfinished()
    for _ in range(2):
        await scene.runner.abandon(number, "the engine gave it up")
    assert await scene.outcome(number) == ("failed", "the engine gave it up")
    assert len(scene.ended) == 1


def too_much(facts: History, case: Case) -> Hold | None:
    """Blocks what would do more than two things. It sees none of that at the decision."""
    count = len(case.plan.actions) if case.plan is not None else 0
    return Hold(f"{count} actions are more than 2") if count > 2 else None


async def test_the_plan_is_judged_before_it_is_applied(stack: Stack) -> None:
    judge = Judge(Sources(stack.core._database), [*GUARDS, Guard("budget", History, too_much)])
    stack.core.queue._runner._judge = stack.core.decider._judge = judge
    stack.clutter(3)
    await stack.receive(alert())
    (run,) = await stack.finished(1)
    assert (run["outcome"], run["reason"]) == ("blocked", "budget: 3 actions are more than 2")
    assert {action["state"] for action in run["actions"]} == {"planned"}
    assert stack.task.applied == []


async def test_a_run_is_judged_by_the_remedy_that_asked_for_it(stack: Stack) -> None:
    """Also where another remedy of the same task stands before it; and, once it is gone, by what is left."""
    seen: list[tuple[str, float]] = []

    def look(facts: History, case: Case) -> Hold | None:
        when = "decided" if case.plan is None else "planned"
        seen.append((when, case.settings.cooldown))
        return None

    stack.core.queue._runner._judge = stack.core.decider._judge = Judge(
        Sources(stack.core._database), [Guard("look", History, look)]
    )
    other = REMEDY.model_copy(update={"name": "other", "match": ['alertname="Other"'], "cooldown": 7.0})
    stack.core.apply_settings(settings(stack.task, [other, REMEDY]))
    stack.clutter(1)
    await stack.receive(alert())
    await stack.finished(1)
    assert seen[:2] == [("decided", 60.0), ("planned", 60.0)]

    run = await stack.core._database.read(partial(runs.get, run_id=1))
    stack.core.apply_settings(settings(stack.task, [other]))
    assert case_of(run, Plan(), Remedies([other]), stack.task.facts, START).settings.cooldown == 7.0
    assert case_of(run, Plan(), Remedies([]), stack.task.facts, START).settings.cooldown == 900.0


async def test_a_run_that_interrupts_something_acts_in_a_slot_which_another_may_have_taken(scene: Scene) -> None:
    scene.task.facts = scene.task.facts._replace(disruption="brief")  # type: ignore[misc]
    scene.clutter(1)
    number = await scene.asked()
    await scene.runner.measure(number)
    other = Request(host=scene.database.host, task="restart", target="letta", caller=PERSON, dry_run=False)
    other_id = await scene.database.write(partial(runs.create, request=other, now=START))
    calm = scene.runner._judge.judge

    async def then_another_acts(case: Case) -> object:
        judgement = await calm(case)
        assert await scene.database.write(partial(slots.take, run_id=other_id, host=other.host, allowed=1))
        return judgement

    scene.runner._judge.judge = then_another_acts  # type: ignore[method-assign,assignment]
    assert await scene.runner.plan(number) == 0
    reason = "restart on letta) comes first: at most one run that may interrupt a service at a time"
    assert await scene.outcome(number) == ("blocked", f"concurrency: run {other_id} ({reason}")
    assert scene.task.applied == []
    second = await scene.asked()
    await scene.runner.measure(second)
    scene.runner._judge.judge = calm  # type: ignore[method-assign]
    assert await scene.runner.plan(second) == 0, "the guard itself says so"
    await scene.database.write(partial(runs.finish, run_id=other_id, outcome="effective", reason="", now=START))
    third = await scene.asked()
    await scene.runner.measure(third)
    assert await scene.runner.plan(third) == 1
