"""Composite runs on every database: what is stored says how they go on. The steps of runs are called one by one,
without an engine, so that the process can end between any two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from remediator.audit.verify import Chain
from remediator.control.cancelling import Cancelling
from remediator.decide.means import Means
from remediator.decide.remedies import Remedies
from remediator.guards.guard import Sources
from remediator.guards.judge import Judge
from remediator.metrics import Metrics
from remediator.model.caller import COMMAND
from remediator.model.run import Request
from remediator.model.shapes.runs import RunView
from remediator.model.task import Task
from remediator.model.taskfacts import Part
from remediator.runs.closing import Closing
from remediator.runs.composites import AUDIT_ENDED, Composites
from remediator.runs.steps import Runner
from remediator.store import audit, pages, runs
from remediator.store.database import Database
from tests.remediator.runs.test_composites import Mop, composite
from tests.remediator.stack import START, Clock
from tests.remediator.store.conftest import database, migrated_store, new_database, open_for, place
from tests.remediator.sweep import Sweep
from upkeeper.look.audit import parse_head

__all__ = ["database", "migrated_store", "new_database", "open_for", "place"]


@dataclass
class Stored:
    """Two tasks and composites of them, on a database."""

    database: Database
    sweep: Sweep
    mop: Mop
    clock: Clock = field(default_factory=lambda: Clock(START))
    submitted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        made: Sequence[Task] = [
            self.sweep,
            self.mop,
            composite("daily", Part("sweep"), Part("polish"), Part("mop", needs=("sweep",))),
            composite("weekly", Part("daily"), Part("mop")),
        ]
        self.tasks = {task.facts.name: task for task in made}
        self.start()

    def start(self) -> None:
        """As a new process does, which knows only what is stored."""
        metrics = Metrics(CollectorRegistry())
        self.closing = Closing(metrics, lambda _: None)
        judge = Judge(Sources(self.database, tasks=lambda: self.tasks))
        means = Means(self.database, judge, lambda: self.tasks, lambda: Remedies([]), self.clock)
        self.runner = Runner(means, metrics, self.closing, lambda: None)
        self.composites = Composites(
            self.database, lambda: self.tasks, self._submit, lambda run, task: "auto", self.closing, self.clock
        )

    async def _submit(self, run_id: int) -> None:
        self.submitted.append(run_id)

    async def asked(self, task: str) -> int:
        request = Request(host="kitchen", task=task, target="all", caller=COMMAND, dry_run=False)
        return await self.database.write(partial(runs.create, request=request, now=self.clock.now))

    async def queued(self) -> Sequence[int]:
        """The runs of the children that have not ended, by what is stored."""
        return [
            run_id
            for run_id in await self.database.read(partial(runs.unfinished, host="kitchen"))
            if not self.tasks[(await self.run(run_id))["task"]].facts.parts
        ]

    async def do(self, run_id: int) -> None:
        """All steps of a run."""
        if await self.runner.measure(run_id) == "go-on":
            for position in range(count := await self.runner.plan(run_id)):
                await self.runner.apply(run_id, position)
            if count:
                await self.runner.verify(run_id)

    async def finish(self, run_id: int, *, dying: bool = False) -> RunView:
        """A composite, once it has ended. dying: the process ends after each thing that it does."""
        for _ in range(20):
            await self.composites.go_on()
            run = await self.run(run_id)
            if run["state"] == "finished":
                return run
            self.clock.now += 3600
            for child in await self.queued():
                await self.do(child)
                if dying:
                    self.start()
        raise AssertionError(f"it did not end: {run}")

    async def run(self, run_id: int) -> RunView:
        return await self.database.read(partial(pages.one_run, run_id=run_id))

    async def of(self, task: str) -> Sequence[RunView]:
        page = await self.database.read(partial(pages.list_runs, limit=50))
        return [run for run in page["items"][::-1] if run["task"] == task]


@pytest.fixture
def stored(database: Database, tmp_path: Path) -> Stored:
    attic, scullery = tmp_path / "attic", tmp_path / "scullery"
    for room in (attic, scullery):
        room.mkdir()
        (room / "f0").touch()
    return Stored(database, Sweep(attic), Mop(scullery))


@pytest.mark.parametrize("dying", [False, True])
async def test_each_part_runs_once_in_order_also_of_a_composite_in_another(stored: Stored, dying: bool) -> None:
    ended = await stored.finish(await stored.asked("weekly"), dying=dying)
    assert ended["outcome"] == "effective"
    assert [(child["task"], child["outcome"]) for child in ended["children"]] == [
        ("daily", "effective"),
        ("mop", "nothing-to-do"),
    ]
    (daily,) = await stored.of("daily")
    whole = await stored.run(daily["id"])
    assert [(part["object"], part["state"]) for part in whole["actions"]] == [
        ("sweep", "done"), ("polish", "skipped"), ("mop", "done"),
    ]  # fmt: skip
    assert whole["freed_bytes"] == 2
    assert (len(await stored.of("sweep")), len(await stored.of("mop"))) == (1, 2)
    assert stored.sweep.applied == stored.mop.applied == ["f0"]


async def test_a_part_that_fails_stops_the_one_that_needs_it(stored: Stored) -> None:
    stored.sweep.broken = True
    ended = await stored.finish(await stored.asked("daily"))
    assert ended["outcome"] == "failed"
    assert ended["actions"][2]["detail"] == "it needs sweep, which did not go well"
    assert await stored.of("mop") == []


async def test_children_that_were_stored_and_never_handed_over_are_not_made_again(stored: Stored) -> None:
    run_id = await stored.asked("daily")
    for _ in range(3):
        await stored.composites.go_on()
        stored.start()
    assert [child["state"] for child in (await stored.run(run_id))["children"]] == ["queued"]
    assert (await stored.finish(run_id))["outcome"] == "effective"
    assert len(await stored.of("sweep")) == 1


async def test_a_task_that_is_under_way_already_is_left_to_that_run(stored: Stored) -> None:
    request = Request(host="kitchen", task="sweep", target="attic", caller=COMMAND, dry_run=False)
    other = await stored.database.write(partial(runs.create, request=request, now=START))
    run_id = await stored.asked("daily")
    await stored.composites.go_on()
    await stored.composites.go_on()
    run = await stored.run(run_id)
    assert run["notes"][0] == f"sweep on attic was left out: run {other} of it was under way already."
    assert run["actions"][0]["state"] == "skipped"


async def _nobody(*_: object, **__: object) -> None:
    raise AssertionError("there is no other host")


async def test_cancelled_it_takes_its_children_with_it(stored: Stored) -> None:
    run_id = await stored.asked("weekly")
    for _ in range(2):
        await stored.composites.go_on()
    cancelling = Cancelling(stored.database, stored.closing, stored.clock, lambda: COMMAND, lambda: None, _nobody)
    await cancelling.cancel_run(run_id, "enough")
    ended = await stored.finish(run_id)
    assert ended["outcome"] == "cancelled"
    assert [run["outcome"] for run in await stored.of("sweep")] == ["cancelled"]
    assert await stored.of("mop") == []
    assert stored.sweep.applied == []


async def test_at_its_end_it_names_the_end_of_the_audit_by_which_a_cut_off_one_is_found(stored: Stored) -> None:
    run_id = await stored.asked("weekly")
    ended = await stored.finish(run_id)
    (note,) = ended["notes"]
    head = parse_head(note.removeprefix(f"{AUDIT_ENDED} "))
    (daily,) = await stored.of("daily")
    assert not any(AUDIT_ENDED in each for each in daily["notes"]), "it is a part"

    def verified(connection: sa.Connection, upto: int) -> Sequence[str]:
        """As of a chain of which somebody has removed what is newer, and corrected its end."""
        chain = Chain("kitchen", [head])
        chain.take(record for record in audit.chain(connection, "kitchen") if record.number <= upto)
        return chain.end(None)

    assert head.number is not None
    assert await stored.database.read(partial(verified, upto=head.number)) == []
    (fault,) = await stored.database.read(partial(verified, upto=head.number - 1))
    assert str(head.number) in fault
