"""Jobs at their times, through the engine and the record. The clock is passed in, and looks are taken by hand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from remediator.config.config import Config
from remediator.control.core import Core
from remediator.model.errors import RequestError
from remediator.model.job import DueTime
from remediator.model.shapes.runs import RunView
from remediator.schedule.metrics import JobMetrics
from remediator.schedule.scheduler import Scheduler
from remediator.store import jobs
from tests.helpers import wait_until
from tests.remediator.stack import Stack, settings

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86400.0
JOB = {"name": "tidy", "at": "0 2 * * *", "task": "sweep", "autonomy": "auto", "cooldown": "0s"}


def at(text: str, zone: tzinfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@dataclass
class Calendared:
    """A stack whose schedule is looked at by hand."""

    stack: Stack
    zone: tzinfo = BERLIN

    @property
    def core(self) -> Core:
        return self.stack.core

    def schedule(self, *entries: dict[str, object]) -> None:
        config = Config.model_validate({"schedule": {"jobs": list(entries)}})
        self.core.apply_settings(settings(self.stack.task, self.stack.remedies, config))

    async def look(self, moment: str | None = None) -> float | None:
        if moment is not None:
            self.stack.clock.now = at(moment)
        return await self.core.scheduler.look()

    async def settled(self) -> list[RunView]:
        """All runs, oldest first, once none is under way and the schedule has heard of it."""

        async def done() -> list[RunView] | None:
            items = (await self.core.runs())["items"]
            return items[::-1] if all(run["outcome"] for run in items) else None

        found = await wait_until(done, what="all runs to be finished") if (await self.core.runs())["items"] else []
        await self.look()
        return found

    async def due(self, job: str = "tidy") -> list[DueTime]:
        """What became of its due times, oldest first."""
        database = self.core._database
        read = partial(jobs.history, host=database.host, job=job, since=0, until=4e9, limit=1000)
        return (await database.read(read))[::-1]

    def metric(self, name: str, job: str = "tidy") -> float | None:
        return self.core.registry.get_sample_value(f"upkeeper_schedule_{name}", {"job_name": job})

    def renew(self) -> None:
        """Gives the core a scheduler that knows the zone of the test, as at a start."""
        core = self.core
        vars(core)["scheduler"] = Scheduler(
            core._means, lambda: core._settings.config.schedule, core.queue.submit,
            JobMetrics(core.registry, self.stack.clock), zone=lambda: self.zone,
        )  # fmt: skip


@pytest.fixture
async def calendar(stack: Stack) -> AsyncIterator[Calendared]:
    found = Calendared(stack)
    stack.clock.now = at("2026-06-01T12:00")
    found.schedule(JOB)
    found.renew()
    await found.look()
    return found


async def states(calendar: Calendared) -> list[tuple[str, str | None]]:
    return [(each.state, each.outcome) for each in await calendar.due()]


async def test_a_job_runs_at_its_time_and_is_recorded_with_its_outcome(calendar: Calendared) -> None:
    calendar.stack.clutter(3)
    assert await calendar.look("2026-06-01T23:00") == at("2026-06-02T02:00")
    assert await calendar.settled() == []
    await calendar.look("2026-06-02T02:00")
    (run,) = await calendar.settled()
    assert (run["trigger"], run["caller"]["name"], run["outcome"]) == ("schedule", "tidy", "effective")
    (due,) = await calendar.due()
    assert (due.due_at, due.state, due.outcome, due.run_ids) == (
        at("2026-06-02T02:00"),
        "ran",
        "effective",
        [run["id"]],
    )
    assert calendar.metric("last_success_timestamp_seconds") == at("2026-06-02T02:00")
    assert calendar.metric("next_timestamp_seconds") == at("2026-06-03T02:00")


async def test_two_looks_at_once_make_one_run(calendar: Calendared) -> None:
    calendar.stack.clock.now = at("2026-06-02T02:00")
    await asyncio.gather(*(calendar.look() for _ in range(5)))
    assert len(await calendar.settled()) == 1


async def test_without_a_target_each_target_has_a_run(calendar: Calendared) -> None:
    calendar.stack.task.cellar = calendar.stack.attic.parent / "cellar"
    calendar.stack.task.cellar.mkdir()
    await calendar.look("2026-06-02T02:00")
    assert [run["target"] for run in await calendar.settled()] == ["attic", "cellar"]


async def test_a_task_that_can_destroy_is_only_planned_unless_the_job_says_otherwise(calendar: Calendared) -> None:
    calendar.schedule({**JOB, "autonomy": None})
    calendar.stack.clutter(2)
    await calendar.look("2026-06-02T02:00")
    (run,) = await calendar.settled()
    assert (run["outcome"], run["dry_run"], calendar.stack.task.applied) == ("planned", True, [])


async def test_a_restart_between_due_and_run_does_not_run_it_twice(calendar: Calendared) -> None:
    calendar.stack.task.stuck = asyncio.Event()
    calendar.stack.clutter(1)
    await calendar.look("2026-06-02T02:00")
    await wait_until(lambda: calendar.stack.task.applied, equals=["f0"])
    await calendar.stack.restart()
    calendar.schedule(JOB)
    calendar.renew()
    calendar.stack.task.stuck.set()
    await calendar.look("2026-06-02T02:05")
    (run,) = await calendar.settled()
    assert run["outcome"] == "effective"
    assert await states(calendar) == [("ran", "effective")]


async def test_a_run_that_was_stored_and_never_handed_over_is_done_after_the_start(calendar: Calendared) -> None:
    """As when the process is killed right after the transaction."""

    async def lost(run_id: int) -> None:
        raise RuntimeError("killed")

    core = calendar.core
    vars(core)["scheduler"]._submit = lost
    with pytest.raises(RuntimeError, match="killed"):
        await calendar.look("2026-06-02T02:00")
    await calendar.stack.restart()
    calendar.schedule(JOB)
    calendar.renew()
    await calendar.look("2026-06-02T02:01")
    assert len(await calendar.settled()) == 1
    assert await states(calendar) == [("ran", "nothing-to-do")]


async def test_after_nights_off_the_last_is_made_up_and_the_others_are_counted(calendar: Calendared) -> None:
    await calendar.stack.restart()
    calendar.schedule(JOB)
    calendar.renew()
    await calendar.look("2026-06-03T12:00")
    assert len(await calendar.settled()) == 1
    first, second = await calendar.due()
    assert (first.state, first.reason) == (
        "missed",
        "no remediator was running; one run makes up for all (catch_up: once)",
    )
    assert (second.state, second.reason) == ("ran", "10h late: no remediator was running")
    assert calendar.metric("missed_total") == 1


async def test_all_are_made_up_one_after_the_other(calendar: Calendared) -> None:
    calendar.schedule({**JOB, "catch_up": "all", "catch_up_within": "7d"})
    await calendar.look("2026-06-04T12:00")
    assert [each.state for each in await calendar.due()] == ["running", "waiting", "waiting"]
    for _ in range(3):
        await calendar.settled()
    assert await states(calendar) == [("ran", "nothing-to-do")] * 3


async def test_a_guard_holds_a_job_back_for_a_while_and_then_it_is_given_up(calendar: Calendared) -> None:
    await calendar.core.pause("sweep", "moving house", 7 * 3600)
    await calendar.look("2026-06-01T18:55")
    calendar.stack.clock.now = at("2026-06-02T01:00")
    await calendar.core.pause("sweep", "moving house", 7200)
    assert await calendar.look("2026-06-02T02:00") == at("2026-06-02T03:00")
    (due,) = await calendar.due()
    assert (due.state, due.targets[0].guard) == ("waiting", "paused")
    assert due.reason == "paused: task sweep is paused for another 1h: moving house"
    await calendar.core.pause("sweep", "moving house", 7200)
    await calendar.look("2026-06-02T03:00")
    (due,) = await calendar.due()
    assert due.state == "blocked"
    assert due.reason.startswith("given up: paused: ")
    await calendar.look("2026-06-02T23:00")
    assert calendar.metric("overdue") == 0


async def test_a_job_runs_as_soon_as_its_guard_ends(calendar: Calendared) -> None:
    await calendar.core.pause(None, "moving house", None)
    await calendar.look("2026-06-02T02:00")
    await calendar.core.resume(None)
    await calendar.look("2026-06-02T02:30")
    assert len(await calendar.settled()) == 1
    assert await states(calendar) == [("ran", "nothing-to-do")]


async def test_a_job_that_fails_is_overdue_after_its_grace(calendar: Calendared) -> None:
    calendar.stack.task.broken = True
    calendar.stack.clutter(1)
    await calendar.look("2026-06-02T02:00")
    await calendar.settled()
    assert await states(calendar) == [("ran", "failed")]
    assert calendar.metric("overdue") == 0
    calendar.stack.clock.now = at("2026-06-02T03:00")
    assert calendar.metric("overdue") == 1
    calendar.stack.task.broken = False
    await calendar.look("2026-06-03T02:00")
    await calendar.settled()
    assert calendar.metric("overdue") == 0


async def test_a_clock_that_is_set_back_runs_nothing_twice_and_forgets_what_it_took_for_missed(
    calendar: Calendared,
) -> None:
    await calendar.look("2026-06-02T02:00")
    await calendar.settled()
    await calendar.look("2031-06-02T12:00")
    await calendar.settled()
    assert [each.state for each in await calendar.due()] == ["ran", "missed", "missed", "ran"]
    await calendar.look("2026-06-02T01:00")
    assert [each.state for each in await calendar.due()] == ["ran", "ran"]
    await calendar.look("2026-06-02T02:00")
    assert len(await calendar.settled()) == 2
    await calendar.look("2026-06-03T02:00")
    await calendar.settled()
    found = [
        (datetime.fromtimestamp(each.due_at, BERLIN).date().isoformat(), each.state) for each in await calendar.due()
    ]
    assert found == [("2026-06-02", "ran"), ("2026-06-03", "ran"), ("2031-06-02", "ran")]


async def test_a_job_that_is_new_or_was_away_owes_nothing_of_before(calendar: Calendared) -> None:
    calendar.schedule()
    await calendar.look("2026-06-01T13:00")
    calendar.schedule(JOB)
    await calendar.look("2026-06-03T13:00")
    assert await calendar.due() == []
    assert calendar.metric("next_timestamp_seconds") == at("2026-06-04T02:00")


async def test_the_two_nights_of_the_year_have_one_run_each(calendar: Calendared) -> None:
    calendar.schedule({**JOB, "at": "30 2 * * *"})
    await calendar.look("2026-03-28T12:00")
    for night in ("2026-03-29", "2026-10-25"):
        calendar.stack.clock.now = at(f"{night}T00:30")
        await calendar.look()
        before = len(await calendar.due())
        for _ in range(36):
            calendar.stack.clock.now += 600
            await calendar.look()
            await calendar.settled()
        assert len(await calendar.due()) == before + 1


async def test_travelling_west_it_runs_once_for_a_morning(calendar: Calendared) -> None:
    await calendar.look("2026-06-02T02:00")
    await calendar.settled()
    calendar.zone = ZoneInfo("America/New_York")
    await calendar.look("2026-06-02T03:00")
    calendar.stack.clock.now = at("2026-06-02T02:00", calendar.zone)
    await calendar.look()
    assert len(await calendar.settled()) == 1
    assert [each.state for each in await calendar.due()] == ["ran", "skipped"]
    calendar.stack.clock.now = at("2026-06-03T02:00", calendar.zone)
    await calendar.look()
    assert len(await calendar.settled()) == 2


async def test_targets_that_cannot_be_told_are_asked_for_again(calendar: Calendared) -> None:
    calendar.stack.task.unknown_targets = True
    assert await calendar.look("2026-06-02T02:00") == at("2026-06-02T02:01")
    (due,) = await calendar.due()
    assert due.reason == "the targets of sweep cannot be told: the directory service does not answer"
    calendar.stack.task.unknown_targets = False
    await calendar.look("2026-06-02T02:01")
    assert len(await calendar.settled()) == 1


async def test_a_job_whose_task_is_unknown_is_given_up_and_overdue(calendar: Calendared) -> None:
    calendar.schedule({**JOB, "task": "sweap"})
    await calendar.look("2026-06-01T12:01")
    await calendar.look("2026-06-02T02:00")
    await calendar.look("2026-06-02T03:00")
    (due,) = await calendar.due()
    assert (due.state, due.reason) == ("blocked", "given up: there is no task sweap")
    assert calendar.metric("overdue") == 1


async def test_the_schedule_says_what_became_of_each_job_and_why(calendar: Calendared) -> None:
    calendar.schedule({**JOB, "autonomy": None})
    await calendar.look("2026-06-02T02:00")
    await calendar.settled()
    (job,) = (await calendar.core.schedule())["items"]
    assert (job["name"], job["autonomy"], job["last_outcome"], job["overdue"]) == ("tidy", "observe", "planned", False)
    assert [due["state"] for due in job["recent"]] == ["ran"]
    why = await calendar.core.schedule_why("tidy", job["recent"][0]["due_at"])
    assert (why["state"], why["due"]) == ("ran", job["recent"][0])
    assert (await calendar.core.schedule_why("tidy", "2026-06-01T13:37Z"))["state"] == "not-due"
    with pytest.raises(RequestError, match="did you mean tidy"):
        await calendar.core.schedule_why("tiddy")
    with pytest.raises(RequestError, match="is no time"):
        await calendar.core.schedule_why("tidy", "noon")
