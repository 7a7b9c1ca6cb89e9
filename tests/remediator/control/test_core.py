"""Alerts in, runs out: store, decision, guards, durable engine, verification, record. The clock is passed in."""

import asyncio
import platform

import pytest

from remediator.model.errors import RequestError
from remediator.model.task import Parameters
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Stack, alert, notification, settings


async def test_a_breach_is_remedied_verified_and_recorded(stack: Stack) -> None:
    stack.clutter(3)
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert (run["outcome"], run["trigger"], run["remedy"]) == ("effective", "alert", "tidy")
    assert [action["state"] for action in run["actions"]] == ["done"] * 3
    assert run["freed_bytes"] == 3
    assert run["before"] is not None
    assert run["after"] is not None
    assert (run["before"]["values"], run["after"]["values"]) == ({"files": 3.0}, {"files": 0.0})
    (decision,) = (await stack.core.decisions())["items"]
    assert (decision["verdict"], decision["run_id"]) == ("run", run["id"])
    (remedy,) = (await stack.core.remedies())["items"]
    assert remedy["track"] == {"runs": 1, "effective": 1, "plans": 0, "would_act": 0}
    assert run["alert_ended_at"] is None
    await stack.receive(alert(status="resolved"))
    assert (await stack.core.run(run["id"]))["alert_ended_at"] == "2027-01-15T08:00:01.000Z"


async def test_ten_identical_notifications_at_once_make_one_run(stack: Stack) -> None:
    stack.clutter()
    await asyncio.gather(*(stack.core.inbox.accept(notification(alert(), alert())) for _ in range(10)))
    await stack.receive(alert())
    await stack.finished(1)
    (episode,) = (await stack.core.alerts())["items"]
    assert episode["receptions"] == 21


async def test_an_alert_repeated_until_a_run_has_ended_it_makes_one_run_and_a_new_episode_another(
    stack: Stack,
) -> None:
    stack.clutter()
    await stack.receive(alert())
    await stack.finished(1)
    for _ in range(11):
        stack.clock.now += 5
        await stack.receive(alert())
    (decision,) = (await stack.core.decisions())["items"]
    assert decision["repeats"] == 11
    stack.clock.now += 5
    await stack.receive(alert(status="resolved"))
    stack.clutter()
    await stack.receive(alert(starts_at=START + 3000))
    assert [run["outcome"] for run in await stack.finished(2)] == ["effective", "effective"]


async def test_cooldown_holds_a_new_episode_back_until_it_is_over(stack: Stack) -> None:
    stack.clutter()
    await stack.receive(alert())
    await stack.finished(1)
    stack.clutter()
    stack.clock.now += 10
    again = alert(starts_at=START + 5)
    await stack.receive(again)
    await stack.receive(again)
    (held, _) = (await stack.core.decisions())["items"]
    assert (held["verdict"], held["guard"], held["repeats"]) == ("blocked", "cooldown", 1)
    stack.clock.now += 51
    await stack.receive(again)
    await stack.finished(2)


async def test_three_runs_that_do_not_help_open_the_breaker(stack: Stack) -> None:
    stack.task.useless = True
    stack.clutter()
    for episode in range(4):
        await stack.receive(alert(starts_at=START + episode * 100))
        await stack.finished(min(episode + 1, 3))
        stack.clock.now += 100
    assert [run["outcome"] for run in await stack.finished(3)] == ["ineffective"] * 3
    (last, *_) = (await stack.core.decisions())["items"]
    assert (last["verdict"], last["guard"]) == ("blocked", "breaker")
    (breaker,) = (await stack.core.status())["open_breakers"]
    assert (breaker["task"], breaker["target"]) == ("sweep", "attic")
    await stack.core.upkeep.refresh_metrics()
    assert stack.core.registry.get_sample_value("upkeeper_breaker_open", {"task": "sweep", "target": "attic"}) == 1
    (remedy,) = (await stack.core.remedies())["items"]
    assert remedy["open_breakers"] == ["attic"]
    assert await stack.core.close_breaker("sweep", "attic") == []
    await stack.receive(alert(starts_at=START + 500))
    await stack.finished(4)


async def test_a_failed_action_fails_the_run_with_its_reason(stack: Stack) -> None:
    stack.task.broken = True
    stack.clutter(2)
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert run["outcome"] == "failed"
    assert run["reason"] == "f0 will not go (and 1 more)"
    assert stack.task.applied == ["f0", "f1"]


async def test_nothing_to_do_when_the_breach_is_gone(stack: Stack) -> None:
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert (run["outcome"], run["actions"]) == ("nothing-to-do", [])


async def test_an_empty_plan_against_a_breach_is_ineffective(stack: Stack) -> None:
    stack.task.limit = -1
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert run["outcome"] == "ineffective"


async def test_paused_means_that_nothing_runs_until_resumed(stack: Stack) -> None:
    stack.clutter()
    await stack.core.pause(None, "moving house", None)
    await stack.receive(alert())
    (decision,) = (await stack.core.decisions())["items"]
    assert (decision["guard"], decision["reason"]) == ("paused", "all tasks are paused: moving house")
    with pytest.raises(RequestError) as refusal:
        await stack.core.start_run("sweep", "attic", dry_run=False)
    assert (refusal.value.status, refusal.value.guard) == (409, "paused")
    await stack.core.resume(None)
    await stack.receive(alert())
    await stack.finished(1)


async def test_observe_records_the_plan_and_does_nothing(stack: Stack) -> None:
    stack.core.apply_settings(settings(stack.task, [REMEDY.model_copy(update={"autonomy": "observe"})]))
    stack.clutter(3)
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert (run["outcome"], run["dry_run"]) == ("planned", True)
    assert [action["state"] for action in run["actions"]] == ["planned"] * 3
    assert stack.task.applied == []
    assert len(list(stack.attic.iterdir())) == 3


@pytest.mark.parametrize(
    "room",
    ["../../etc", '"; rm -rf /"', "attic\n", " attic", "Attic", "аttic", "attic\u200b", "a" * 10_000, "", "attic/."],
)
async def test_a_label_selects_nothing_but_a_target_of_exactly_that_name(stack: Stack, room: str) -> None:
    stack.clutter()
    await stack.receive(alert(room=room))
    (decision,) = (await stack.core.decisions())["items"]
    assert (decision["verdict"], decision["target"], decision["run_id"]) == ("no-target", None, None)
    assert (await stack.core.runs())["items"] == []
    assert len(list(stack.attic.iterdir())) == 3


async def test_targets_that_cannot_be_told_block(stack: Stack) -> None:
    stack.task.unknown_targets = True
    await stack.receive(alert())
    (decision,) = (await stack.core.decisions())["items"]
    assert (decision["verdict"], decision["guard"]) == ("blocked", "targets")
    stack.task.unknown_targets = False
    stack.clutter()
    await stack.receive(alert())
    await stack.finished(1)


async def test_an_episode_that_ended_is_not_opened_by_a_late_notification(stack: Stack) -> None:
    await stack.core.pause(None, "to look", None)
    await stack.receive(alert())
    await stack.receive(alert(status="resolved"))
    await stack.core.resume(None)
    await stack.receive(alert())
    (episode,) = (await stack.core.alerts())["items"]
    assert episode["status"] == "resolved"
    assert (await stack.core.runs())["items"] == []


async def test_requests_by_hand_name_what_is_wrong(stack: Stack) -> None:
    with pytest.raises(RequestError, match="did you mean sweep"):
        await stack.core.plan("sweeep", "attic")
    with pytest.raises(RequestError, match="no target 'cellar'; its targets: attic"):
        await stack.core.start_run("sweep", "cellar", dry_run=True)
    with pytest.raises(RequestError, match="no run 99"):
        await stack.core.run(99)
    with pytest.raises(RequestError, match="no breaker is open"):
        await stack.core.close_breaker("sweep", "attic")


async def test_a_run_keeps_its_host_its_caller_and_what_its_task_was_told(stack: Stack) -> None:
    class Gentle(Parameters):
        gently: bool = False

    stack.task.parameters = Gentle
    stack.clutter(1)
    await stack.receive(alert())
    await stack.finished(1)
    stack.clock.now += 60
    await stack.core.start_run("sweep", "attic", dry_run=True, params={"gently": "yes"})
    by_alert, by_hand = await stack.finished(2)
    assert {run["host"] for run in (by_alert, by_hand)} == {platform.node()}
    assert (by_alert["caller"], by_alert["remedy"]) == ({"trigger": "alert", "name": "tidy"}, "tidy")
    assert (by_hand["caller"], by_hand["remedy"]) == ({"trigger": "cli", "name": ""}, None)
    assert (by_alert["params"], by_hand["params"]) == ({}, {"gently": "yes"})
    for params, reason in (
        ({"gently": "maybe"}, "parameter gently of sweep: Input should be a valid boolean"),
        ({"roughly": "no"}, "sweep has no parameter roughly; its parameters: gently"),
    ):
        with pytest.raises(RequestError, match=reason) as refusal:
            await stack.core.plan("sweep", "attic", params)
        assert (refusal.value.status, refusal.value.exit_code) == (422, 2)


async def test_a_plan_changes_nothing_and_tells_what_would_block(stack: Stack) -> None:
    stack.clutter(2)
    await stack.core.pause("sweep", "not now", 30.0)
    plan = await stack.core.plan("sweep", "attic")
    assert [action["object"] for action in plan["plan"]["actions"]] == ["f0", "f1"]
    assert [block["guard"] for block in plan["guards"]] == ["paused"]
    assert (await stack.core.runs())["items"] == []
    assert len(list(stack.attic.iterdir())) == 2


async def test_pages_are_whole_and_newest_first(stack: Stack) -> None:
    await stack.receive(*(alert(room=f"r{number}") for number in range(7)))
    seen, before = [], None
    while True:
        page = await stack.core.alerts(limit=3, before=before)
        seen += [item["id"] for item in page["items"]]
        before = page["next"]
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 7


async def test_interrupted_in_an_action_it_goes_on_there_after_a_restart(stack: Stack) -> None:
    stack.clutter(3)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    await wait_until(lambda: stack.task.applied == ["f0"], what="the first action to be under way")
    await stack.restart()
    stack.task.stuck.set()
    (run,) = await stack.finished()
    assert run["outcome"] == "effective"
    assert stack.task.applied == ["f0", "f0", "f1", "f2"]
    assert list(stack.attic.iterdir()) == []


async def test_what_is_left_of_an_old_plan_is_dropped(stack: Stack) -> None:
    stack.clutter(3)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    await wait_until(lambda: stack.task.applied == ["f0"], what="the first action to be under way")
    stack.clock.now += 2 * 3600
    await stack.restart()
    (run,) = await stack.finished()
    assert run["outcome"] == "expired"
    assert [action["state"] for action in run["actions"]] == ["skipped"] * 3
    assert len(list(stack.attic.iterdir())) == 3


async def test_an_action_that_takes_too_long_is_given_up(stack: Stack) -> None:
    stack.task.action_timeout = 0.05
    stack.task.stuck = asyncio.Event()
    stack.clutter(1)
    await stack.receive(alert())
    (run,) = await stack.finished()
    assert (run["outcome"], run["reason"]) == ("failed", "delete f0 took longer than 50ms and was given up")


async def test_a_task_that_is_gone_closes_its_run_with_the_reason(stack: Stack) -> None:
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    await wait_until(lambda: stack.task.applied == ["f0"], what="the first action to be under way")
    stack.task.facts = stack.task.facts._replace(name="renamed")
    await stack.restart()
    (run,) = await stack.finished()
    assert (run["outcome"], run["reason"]) == ("failed", "task sweep is no longer available")


async def test_runs_and_alerts_are_deleted_after_their_retention(stack: Stack) -> None:
    stack.clutter(1)
    await stack.receive(alert())
    await stack.receive(alert(status="resolved"), alert(room="silent ever since"))
    await stack.finished(1)
    stack.clock.now += 91 * 86400
    await stack.receive(alert(room="cellar"))
    await stack.core.upkeep.purge()
    assert (await stack.core.runs())["items"] == []
    assert [item["labels"]["room"] for item in (await stack.core.alerts())["items"]] == ["cellar"]
