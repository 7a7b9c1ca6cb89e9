"""Composite runs through the engine: children once, in order, whatever ends the process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from remediator.config.config import Config
from remediator.control.core import Core
from remediator.control.settings import Settings
from remediator.decide.remedies import Remedies
from remediator.model.caller import Caller
from remediator.model.run import Request
from remediator.model.shapes.runs import RunView
from remediator.model.taskfacts import Part, TaskFacts
from remediator.store import runs
from remediator.tasks.composite.task import Composite
from remediator.tasks.resources import Resources
from tests.helpers import wait_until
from tests.remediator.stack import Stack
from tests.remediator.sweep import Sweep


class Mop(Sweep):
    """Another task of the same kind."""

    facts = TaskFacts("mop", "deletes other files", (), lambda _: ["attic"])


NIGHTLY = {"name": "nightly", "at": "@yearly", "task": "daily", "autonomy": "auto"}


def composite(name: str, *parts: Part) -> Composite:
    return Composite(TaskFacts(name, "", (), lambda _: ["all"], unattended="auto", parts=parts))


@dataclass
class House:
    """A stack with two tasks and composites of them."""

    stack: Stack
    mop: Mop

    @property
    def core(self) -> Core:
        return self.stack.core

    def settle_in(self) -> None:
        tasks = [
            self.stack.task,
            self.mop,
            composite("daily", Part("sweep"), Part("polish"), Part("mop", needs=("sweep",))),
            composite("weekly", Part("daily"), Part("mop")),
        ]
        config = Config.model_validate({"schedule": {"jobs": [NIGHTLY]}})
        known = {task.facts.name: task for task in tasks}
        self.core.apply_settings(Settings(config, Remedies([]), known, Resources(config)))

    async def restart(self) -> None:
        await self.core.close()
        self.stack.core = Core(self.core.state, self.core._settings, clock=self.stack.clock)
        await self.core.open()
        await self.core.start_engine()

    async def finished(self, run: RunView) -> RunView:
        async def done() -> RunView | None:
            found = await self.core.run(run["id"])
            return found if found["state"] == "finished" else None

        return await wait_until(done, what="the run to be finished")

    async def runs_of(self, task: str) -> Sequence[RunView]:
        return [run for run in (await self.core.runs())["items"][::-1] if run["task"] == task]


@pytest.fixture
async def house(stack: Stack, tmp_path: Path) -> House:
    scullery = tmp_path / "scullery"
    scullery.mkdir()
    (scullery / "drop").touch()
    found = House(stack, Mop(scullery))
    found.settle_in()
    return found


def parts(run: RunView) -> list[tuple[str, str, str]]:
    return [(action["object"], action["state"], action["detail"]) for action in run["actions"]]


async def test_parts_run_in_order_each_with_a_run_of_its_own(house: House) -> None:
    house.stack.clutter(2)
    run = await house.finished(await house.core.start_run("daily", "all"))
    assert (run["outcome"], run["reason"]) == ("effective", "2 runs, all well; left out: polish")
    assert parts(run) == [
        ("sweep", "done", "effective"),
        ("polish", "skipped", "there is no such task yet"),
        ("mop", "done", "effective"),
    ]
    assert run["freed_bytes"] == 3
    assert [(child["task"], child["outcome"]) for child in run["children"]] == [
        ("sweep", "effective"),
        ("mop", "effective"),
    ]
    first, second = await house.runs_of("sweep"), await house.runs_of("mop")
    assert (first[0]["parent_id"], first[0]["caller"]) == (run["id"], {"trigger": "run", "name": str(run["id"])})
    assert (first[0]["finished_at"] or "") <= (second[0]["requested_at"] or "")


async def test_a_part_that_fails_stops_the_one_that_needs_it(house: House) -> None:
    house.stack.task.broken = True
    house.stack.clutter(1)
    run = await house.finished(await house.core.start_run("daily", "all"))
    assert run["outcome"] == "failed"
    assert parts(run)[2] == ("mop", "skipped", "it needs sweep, which did not go well")
    assert await house.runs_of("mop") == []


async def test_a_dry_run_plans_every_child_and_does_nothing(house: House) -> None:
    house.stack.clutter(2)
    run = await house.finished(await house.core.start_run("daily", "all", dry_run=True))
    assert run["outcome"] == "planned"
    assert [(child["task"], child["outcome"]) for child in run["children"]] == [
        ("sweep", "planned"),
        ("mop", "planned"),
    ]
    assert house.stack.task.applied == house.mop.applied == []


async def test_a_composite_may_be_a_part_of_another(house: House) -> None:
    house.stack.clutter(1)
    run = await house.finished(await house.core.start_run("weekly", "all"))
    assert [child["task"] for child in run["children"]] == ["daily", "mop"]
    assert [each["outcome"] for each in await house.runs_of("daily")] == ["effective"]
    assert len(await house.runs_of("mop")) == 2


async def test_a_restart_at_any_point_makes_no_child_twice(house: House) -> None:
    house.stack.task.stuck = asyncio.Event()
    house.stack.clutter(1)
    run = await house.core.start_run("weekly", "all")
    await wait_until(lambda: house.stack.task.applied, equals=["f0"])
    await house.restart()
    house.stack.task.stuck.set()
    ended = await house.finished(run)
    assert ended["outcome"] == "effective"
    assert {task: len(await house.runs_of(task)) for task in ("weekly", "daily", "sweep", "mop")} == {
        "weekly": 1, "daily": 1, "sweep": 1, "mop": 2,
    }  # fmt: skip


async def test_children_that_were_stored_and_never_handed_over_are_done_after_the_start(house: House) -> None:
    """As when the process is killed right after the transaction."""

    async def lost(run_id: int) -> None:
        raise RuntimeError("killed")

    house.stack.clutter(1)
    await house.core._composites.stop()
    house.core._composites._submit = lost
    run = await house.core.start_run("daily", "all")
    with pytest.raises(RuntimeError, match="killed"):
        await house.core._composites.go_on()
    (child,) = (await house.core.run(run["id"]))["children"]
    assert child["state"] == "queued"
    await house.restart()
    assert (await house.finished(run))["outcome"] == "effective"
    assert len(await house.runs_of("sweep")) == 1


async def test_a_task_that_is_under_way_already_is_left_to_that_run(house: House) -> None:
    house.stack.task.stuck = asyncio.Event()
    house.stack.clutter(1)
    other = await house.core.start_run("sweep", "attic")
    await wait_until(lambda: house.stack.task.applied, equals=["f0"])
    run = await house.finished(await house.core.start_run("daily", "all"))
    assert run["notes"][0] == f"sweep on attic was left out: run {other['id']} of it was under way already."
    assert parts(run)[0] == ("sweep", "skipped", "runs of it were under way already")
    house.stack.task.stuck.set()


async def test_a_plan_has_the_plans_of_its_parts(house: House) -> None:
    house.stack.clutter(2)
    plan = await house.core.plan("daily", "all")
    assert [(child["task"], len(child["plan"]["actions"])) for child in plan["children"]] == [("sweep", 2), ("mop", 1)]
    assert plan["plan"]["notes"] == ["polish is left out: there is no such task yet"]
    assert (await house.core.runs())["items"] == []


async def test_while_its_children_go_a_composite_is_no_work_of_the_engine(house: House) -> None:
    house.stack.task.stuck = asyncio.Event()
    house.stack.clutter(1)
    run = await house.core.start_run("daily", "all")
    await wait_until(lambda: house.stack.task.applied, equals=["f0"])
    assert (await house.core.run(run["id"]))["state"] == "running"
    await house.core.upkeep.refresh_metrics()
    assert house.core.registry.get_sample_value("upkeeper_queue_depth") == 1
    house.stack.task.stuck.set()
    await house.finished(run)


async def test_cancelled_it_takes_its_children_with_it_and_begins_no_other_part(house: House) -> None:
    house.stack.task.stuck = asyncio.Event()
    house.stack.clutter(2)
    run = await house.core.start_run("weekly", "all")
    await wait_until(lambda: house.stack.task.applied, equals=["f0"])
    seen = await house.core.cancel_run(run["id"], "enough")
    assert (seen["state"], seen["cancelled"]) == ("running", "cancelled by cli: enough")
    house.stack.task.stuck.set()
    ended = await house.finished(run)
    assert ended["outcome"] == "cancelled"
    assert ended["reason"].startswith("cancelled by cli: enough; 1 run; daily on all cancelled")
    assert parts(ended)[1] == ("mop", "skipped", "the run was cancelled before it began")
    (daily,), (sweep,) = await house.runs_of("daily"), await house.runs_of("sweep")
    assert {daily["outcome"], sweep["outcome"]} == {"cancelled"}
    with_it = f"cancelled with run {run['id']} by cli: enough"
    assert sweep["reason"] == f"{with_it}; 1 of 2 actions had been done; now 1 files"
    assert daily["cancelled"] == with_it
    assert house.stack.task.applied == ["f0"]
    assert house.mop.applied == []


async def test_of_a_child_alone_the_others_go_on(house: House) -> None:
    house.stack.task.stuck = asyncio.Event()
    house.stack.clutter(1)
    run = await house.core.start_run("weekly", "all")
    await wait_until(lambda: house.stack.task.applied, equals=["f0"])
    (sweep,) = await house.runs_of("sweep")
    await house.core.cancel_run(sweep["id"])
    house.stack.task.stuck.set()
    ended = await house.finished(run)
    assert ended["outcome"] == "cancelled", "the worst of its children's"
    assert ended["cancelled"] is None
    assert [run["outcome"] for run in await house.runs_of("mop")] == ["effective"], "only the one that needs nothing"


async def test_what_a_person_asks_for_is_no_storm_nor_are_its_children(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.core.watchdog, "reason", lambda: "the Watchdog is lost")
    house.stack.clutter(1)
    by_hand = await house.finished(await house.core.start_run("daily", "all"))
    assert by_hand["outcome"] == "effective"
    house.stack.clock.now += 3600
    house.stack.clutter(1)
    request = Request(
        host=by_hand["host"], task="daily", target="all", caller=Caller("schedule", "nightly"), dry_run=False
    )
    run_id = await house.core._database.write(partial(runs.create, request=request, now=house.stack.clock.now))
    await house.core.queue.submit(run_id)
    by_itself = await house.finished(await house.core.run(run_id))
    assert by_itself["outcome"] == "blocked"
    assert by_itself["children"][0]["reason"] == "storm: the Watchdog is lost"
