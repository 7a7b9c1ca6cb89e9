"""While an alert fires, its remedies are tried again when their guards allow, without waiting for Alertmanager."""

import asyncio
import time
from pathlib import Path

import pytest

from exporter.base.text import format_time_ms
from remediator.config.guards import Breaker
from remediator.config.remedies import Remedy
from remediator.control.core import Core
from remediator.decide.decider import HEARD_WITHIN
from remediator.model.shapes.alerts import DecisionView
from remediator.model.shapes.runs import RunView
from remediator.statedir import DRILL_TARGET
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Stack, alert, notification, settings
from tests.remediator.sweep import Sweep

COOLDOWN, SETTLE = 60.0, 60.0
OBSERVER = REMEDY.model_copy(update={"autonomy": "observe"})


async def decisions(stack: Stack) -> list[DecisionView]:
    """Oldest first."""
    return (await stack.core.decisions())["items"][::-1]


async def outcomes(stack: Stack, count: int) -> list[str | None]:
    return [run["outcome"] for run in await stack.finished(count)]


def use(stack: Stack, *remedies: Remedy) -> None:
    stack.remedies = list(remedies)
    stack.core.apply_settings(settings(stack.task, stack.remedies))


# --- one remedy


async def test_a_run_that_leaves_the_breach_standing_is_followed_by_another(stack: Stack) -> None:
    stack.clutter(5)
    stack.task.most = 2
    await stack.receive(alert())
    (first,) = await stack.finished(1)
    assert (first["outcome"], first["reason"]) == ("ineffective", "helped, not enough: 3 files")
    await stack.pass_time(COOLDOWN - 1)
    assert (await decisions(stack))[-1]["due_at"] == format_time_ms(START + COOLDOWN)
    await stack.finished(1)
    await stack.pass_time(1)
    await stack.finished(2)
    await stack.pass_time(COOLDOWN)
    runs = await stack.finished(3)
    assert [run["outcome"] for run in runs] == ["ineffective", "ineffective", "effective"]
    assert list(stack.attic.iterdir()) == []
    last = (await decisions(stack))[-1]
    assert last["reason"] == "remedy tidy matches, and the alert still fires 1m after its run 2 (ineffective)"
    assert last["run_id"] == 3


async def test_three_runs_that_helped_but_not_enough_open_the_breaker(stack: Stack) -> None:
    stack.clutter(9)
    stack.task.most = 1
    await stack.receive(alert())
    for number in range(1, 4):
        await stack.finished(number)
        await stack.pass_time(COOLDOWN)
    (blocked,) = [one for one in await decisions(stack) if one["verdict"] == "blocked"]
    assert (blocked["guard"], blocked["due_at"]) == ("breaker", format_time_ms(START + 2 * COOLDOWN + 3600))
    assert len(await stack.core.close_breaker("sweep", "attic")) == 0
    await stack.pass_time(0)
    assert await outcomes(stack, 4) == ["ineffective"] * 4
    assert len(list(stack.attic.iterdir())) == 5


async def test_alertmanagers_repetition_and_our_own_look_make_one_run(stack: Stack) -> None:
    stack.clutter(9)
    stack.task.most = 2
    await stack.receive(alert())
    await stack.finished(1)
    stack.clock.now += COOLDOWN
    await asyncio.gather(*(stack.receive(alert(), alert()) for _ in range(3)))
    await stack.finished(2)
    await stack.pass_time(1)
    await stack.finished(2)


async def test_one_outage_under_a_new_start_makes_no_second_run_within_the_cooldown(stack: Stack) -> None:
    """After a restart of Prometheus or Alertmanager the same failure comes as another episode."""
    stack.clutter(9)
    stack.task.most = 2
    await stack.receive(alert())
    await stack.finished(1)
    stack.clock.now += 5
    await stack.receive(alert(starts_at=START + 4))
    blocked = (await decisions(stack))[-1]
    assert (blocked["guard"], blocked["due_at"]) == ("cooldown", format_time_ms(START + COOLDOWN))
    await stack.pass_time(COOLDOWN - 5)
    runs = await stack.finished(2)
    assert [run["alert_id"] for run in runs] == [1, blocked["alert_id"]], "the episode of before is over"
    await stack.pass_time(COOLDOWN)
    await stack.finished(3)


async def test_nothing_is_done_any_more_once_the_alert_has_ended(stack: Stack) -> None:
    stack.clutter(9)
    stack.task.most = 2
    await stack.receive(alert())
    await stack.finished(1)
    await stack.receive(alert(status="resolved"))
    await stack.pass_time(10 * COOLDOWN)
    await stack.finished(1)
    assert (await decisions(stack))[-1]["due_at"] is None


async def test_nothing_is_done_about_an_alert_of_which_nothing_is_heard(stack: Stack) -> None:
    """Its end was lost on the way: Alertmanager offers that only once."""
    stack.clutter(9)
    stack.task.most = 1
    use(stack, REMEDY.model_copy(update={"cooldown": HEARD_WITHIN + 1}))
    await stack.receive(alert())
    await stack.finished(1)
    await stack.pass_time(HEARD_WITHIN + 2)
    await stack.finished(1)
    await stack.receive(alert())
    await stack.finished(2)


async def test_what_a_pause_holds_back_runs_when_somebody_resumes(stack: Stack) -> None:
    stack.clutter()
    await stack.core.pause("sweep", "moving house", None)
    await stack.receive(alert())
    assert (await decisions(stack))[-1]["due_at"] is None
    await stack.core.resume("sweep")
    await stack.pass_time(0)
    assert await outcomes(stack, 1) == ["effective"]


async def test_what_a_pause_holds_back_runs_when_the_pause_ends(stack: Stack) -> None:
    stack.clutter()
    await stack.core.pause(None, "for a while", 12.0)
    await stack.receive(alert())
    assert (await decisions(stack))[-1]["due_at"] == format_time_ms(START + 12)
    await stack.pass_time(11)
    assert (await stack.core.runs())["items"] == []
    await stack.pass_time(1)
    assert await outcomes(stack, 1) == ["effective"]


async def test_what_a_run_under_way_holds_back_is_looked_at_when_it_ends(stack: Stack) -> None:
    use(stack, REMEDY.model_copy(update={"cooldown": 0.0}))
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    await stack.core.start_run("sweep", "attic", dry_run=False)
    await wait_until(lambda: stack.task.applied == ["f0"], what="the run by hand to be under way")
    await stack.receive(alert())
    (blocked,) = await decisions(stack)
    assert (blocked["guard"], blocked["due_at"]) == ("in-flight", None)
    stack.clutter(2)
    stack.task.stuck.set()
    await stack.finished(1)
    await stack.pass_time(0)
    (by_hand, by_alert) = await stack.finished(2)
    assert (by_hand["trigger"], by_alert["trigger"]) == ("cli", "alert")
    assert list(stack.attic.iterdir()) == []


async def test_after_a_restart_an_alert_that_still_fires_is_looked_at(stack: Stack) -> None:
    stack.clutter(9)
    stack.task.most = 2
    await stack.receive(alert())
    await stack.finished(1)
    await stack.restart()
    stack.clock.now += COOLDOWN
    stack.core.decider.look_at_all()
    await stack.pass_time(0)
    await stack.finished(2)


# --- observing


async def test_a_remedy_switched_to_auto_takes_effect_in_the_episode_that_is_under_way(stack: Stack) -> None:
    use(stack, OBSERVER)
    stack.clutter()
    await stack.receive(alert())
    assert await outcomes(stack, 1) == ["planned"]
    for _ in range(5):
        await stack.pass_time(COOLDOWN)
        await stack.receive(alert())
    assert await outcomes(stack, 1) == ["planned"], "nothing has changed since"
    use(stack, REMEDY)
    await stack.pass_time(0)
    assert await outcomes(stack, 2) == ["planned", "effective"]
    assert [one["verdict"] for one in await decisions(stack)] == ["observe", "run"]


async def test_an_observing_remedy_earns_its_track(stack: Stack) -> None:
    use(stack, OBSERVER)
    for number in range(7):
        if number < 5:
            stack.clutter(2)
        else:
            for path in stack.attic.iterdir():
                path.unlink()
        await stack.receive(alert(starts_at=stack.clock.now))
        await stack.finished(number + 1)
        await stack.receive(alert(starts_at=stack.clock.now, status="resolved"))
        stack.clock.now += COOLDOWN
    (remedy,) = (await stack.core.remedies())["items"]
    assert remedy["track"] == {"runs": 0, "effective": 0, "plans": 7, "would_act": 5}


async def test_a_drill_counts_for_no_track(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def targets() -> list[str]:
        return ["attic", DRILL_TARGET]

    monkeypatch.setattr(stack.task, "targets", targets)
    stack.clutter()
    await stack.receive(alert(room=DRILL_TARGET))
    assert await outcomes(stack, 1) == ["effective"]
    (remedy,) = (await stack.core.remedies())["items"]
    assert remedy["track"] == {"runs": 0, "effective": 0, "plans": 0, "would_act": 0}


# --- several remedies


@pytest.fixture
def house(stack: Stack, tmp_path: Path) -> Stack:
    """A second target, and a remedy for each, both for the same alert."""
    stack.task.cellar = tmp_path / "cellar"
    stack.task.cellar.mkdir()
    plain = {"target_label": None, "settle": SETTLE}
    use(
        stack,
        REMEDY.model_copy(update={"name": "up", "target": "attic", **plain}),
        REMEDY.model_copy(update={"name": "down", "target": "cellar", **plain}),
    )
    return stack


def told(runs: list[RunView]) -> list[tuple[str | None, str | None]]:
    return [(run["remedy"], run["outcome"]) for run in runs]


async def test_several_remedies_have_their_turns_until_the_alert_ends(house: Stack) -> None:
    house.clutter()
    assert house.task.cellar is not None
    (house.task.cellar / "f9").touch()
    await house.receive(alert())
    assert told(await house.finished(1)) == [("up", "effective")]
    await house.pass_time(SETTLE - 1)
    await house.receive(alert())
    await house.finished(1)
    await house.pass_time(1)
    assert told(await house.finished(2)) == [("up", "effective"), ("down", "effective")]
    assert list(house.task.cellar.iterdir()) == []
    second = (await decisions(house))[-1]
    assert second["reason"] == "remedy down matches, and the alert still fires 1m after up's run 1 (effective)"
    await house.receive(alert(status="resolved"))
    await house.pass_time(10 * SETTLE)
    await house.finished(2)


async def test_an_alert_that_the_first_remedy_ended_calls_no_second(house: Stack) -> None:
    house.clutter()
    await house.receive(alert())
    await house.finished(1)
    await house.receive(alert(status="resolved"))
    await house.pass_time(SETTLE)
    assert told(await house.finished(1)) == [("up", "effective")]


async def test_where_the_first_has_nothing_to_do_the_second_has_its_turn_at_once(house: Stack) -> None:
    assert house.task.cellar is not None
    (house.task.cellar / "f9").touch()
    await house.receive(alert())
    assert told(await house.finished(2, looking=True)) == [("up", "nothing-to-do"), ("down", "effective")]


async def test_where_the_breaker_of_the_first_is_open_the_second_has_its_turn(house: Stack) -> None:
    use(house, *(one.model_copy(update={"breaker": Breaker(failures=1)}) for one in house.remedies))
    house.task.useless = True
    house.clutter()
    assert house.task.cellar is not None
    (house.task.cellar / "f9").touch()
    await house.receive(alert())
    await house.finished(1)
    await house.receive(alert(status="resolved"))
    await house.pass_time(3600)
    await house.receive(alert(starts_at=START + 3600))
    assert told(await house.finished(2)) == [("up", "ineffective"), ("down", "ineffective")]
    verdicts = [(one["remedy"], one["verdict"], one["guard"]) for one in await decisions(house)]
    assert verdicts == [("up", "run", None), ("up", "blocked", "breaker"), ("down", "run", None)]


# --- the loop that looks


async def test_the_loop_looks_again_by_itself_when_it_is_due_and_sleeps_meanwhile(
    tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the machine's own clock, with nobody to call it."""
    attic = tmp_path / "loft"
    attic.mkdir()
    for number in range(3):
        (attic / f"f{number}").touch()
    task = Sweep(attic)
    task.most = 1
    quick = REMEDY.model_copy(update={"cooldown": 1.5, "settle": 1.0})
    await stack.core.close()
    core = Core(stack.core.state, settings(task, [quick]), clock=time.time)
    stack.core = core  # closed by its fixture
    await core.open()
    await core.start_engine()
    looks = 0
    decide_batch = core.decider.decide_batch

    async def counted() -> int:
        nonlocal looks
        looks += 1
        return await decide_batch()

    monkeypatch.setattr(core.decider, "decide_batch", counted)
    loop = asyncio.create_task(core.decider.run())
    try:
        await core.inbox.accept(notification(alert(starts_at=time.time())))
        runs = await stack.finished(3)
    finally:
        loop.cancel()
    assert [run["outcome"] for run in runs] == ["ineffective", "ineffective", "effective"]
    starts = [run["requested_at"] for run in runs]
    assert len(set(starts)) == 3
    # Of each alert, run end and due moment, one look finds something and the next nothing more.
    assert looks <= 20
