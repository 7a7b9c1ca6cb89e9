"""A run whose plan a person must approve: from the question to the answer, with the real engine and record."""

import asyncio
from functools import partial

import pytest

from remediator.config.guards import Approval
from remediator.config.remedies import Remedy
from remediator.model.approval import former_plan_hash
from remediator.model.errors import RequestError
from remediator.model.shapes.approvals import ApprovalDetail
from remediator.model.shapes.runs import RunView
from remediator.store import approvals
from remediator.store.tables import approvals as stored
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Stack, alert, settings

HOUR = 3600.0
ASKING = REMEDY.model_copy(update={"autonomy": "approve", "approval": Approval(expires=4 * HOUR)})


def use(stack: Stack, *remedies: Remedy) -> None:
    stack.remedies = list(remedies)
    stack.core.apply_settings(settings(stack.task, stack.remedies))


@pytest.fixture
async def asking(stack: Stack) -> Stack:
    """With a remedy that asks."""
    use(stack, ASKING)
    return stack


async def asked(stack: Stack, number: int = 1) -> ApprovalDetail:
    """The request of that number, once it waits."""

    async def there() -> bool:
        items = (await stack.core.approvals(state="asked"))["items"]
        return [one["id"] for one in items] == [number]

    await wait_until(there, what=f"approval {number} to wait")
    return await stack.core.approval(number)


async def breach(stack: Stack, files: int = 3) -> ApprovalDetail:
    """A breach that somebody is asked about."""
    stack.clutter(files)
    await stack.receive(alert())
    return await asked(stack)


async def newest(stack: Stack) -> RunView:
    return (await stack.core.runs())["items"][0]


async def test_nothing_is_done_before_a_person_has_approved_and_then_exactly_once(asking: Stack) -> None:
    one = await breach(asking)
    assert (one["run"], one["task"], one["target"], one["state"]) == (1, "sweep", "attic", "asked")
    assert [action["object"] for action in one["plan"]["actions"]] == ["f0", "f1", "f2"]
    assert (one["asked_at"], one["expires_at"]) == ("2027-01-15T08:00:00.000Z", "2027-01-15T12:00:00.000Z")
    assert (one["guards"], one["changes"], one["why"]) == ([], [], "a person must approve what its remedy would do")
    assert (await newest(asking))["state"] == "waiting"
    assert asking.task.applied == []
    (decision,) = (await asking.core.decisions())["items"]
    assert decision["reason"] == "remedy tidy matches; a person must approve its plan"
    assert decision["run_id"] == 1

    asking.clock.now += HOUR
    answered = await asking.core.decide_approval(1, "approve", one["plan_hash"], "go on")
    assert (answered["state"], answered["reason"]) == ("approved", "go on")
    assert answered["by"] == {"trigger": "cli", "name": ""}
    (run,) = await asking.finished()
    assert (run["outcome"], run["reason"]) == ("effective", "0 files")
    assert run["started_at"] == "2027-01-15T09:00:00.000Z", "what it waited is not what it took"
    assert asking.task.applied == ["f0", "f1", "f2"]
    assert list(asking.attic.iterdir()) == []


async def test_an_approval_is_answered_once_and_for_the_plan_that_was_shown(asking: Stack) -> None:
    one = await breach(asking)
    with pytest.raises(RequestError, match="is about another plan now") as refusal:
        await asking.core.decide_approval(1, "approve", "0" * 64)
    assert (refusal.value.status, refusal.value.exit_code) == (409, 3)
    with pytest.raises(RequestError, match="there is no approval 9"):
        await asking.core.decide_approval(9, "approve", one["plan_hash"])
    assert asking.task.applied == []
    verdicts = ("approve", "deny", "approve", "deny")
    answers = await asyncio.gather(
        *(asking.core.decide_approval(1, verdict, one["plan_hash"]) for verdict in verdicts),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    taken = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(taken) == 1
    assert all(isinstance(each, RequestError) and each.status == 409 for each in refused)
    (run,) = await asking.finished()
    assert run["outcome"] == {"approved": "effective", "denied": "denied"}[taken[0]["state"]]
    with pytest.raises(RequestError, match=f"approval 1 is over: {taken[0]['state']} by cli"):
        await asking.core.decide_approval(1, "approve", one["plan_hash"])


async def test_what_waited_before_an_upgrade_is_answered_and_done_after_it(asking: Stack) -> None:
    """Earlier releases named a plan by its actions alone: what was shown with that hash is answered with it."""
    one = await breach(asking)
    plan = await asking.core._database.read(partial(approvals.plan_of, approval_id=1))
    former = former_plan_hash(plan.actions)
    assert former != one["plan_hash"]
    await asking.core._database.write(lambda connection: connection.execute(stored.update().values(plan_hash=former)))
    with pytest.raises(RequestError, match="about another plan now"):
        await asking.core.decide_approval(1, "approve", one["plan_hash"])
    await asking.core.decide_approval(1, "approve", former)
    [run] = await asking.finished(1)
    assert (run["outcome"], len((await asking.core.approvals())["items"])) == ("effective", 1)


async def test_what_is_denied_is_not_done_nor_asked_again_on_that_day(asking: Stack) -> None:
    one = await breach(asking)
    answered = await asking.core.decide_approval(1, "deny", one["plan_hash"], "I need them")
    assert answered["state"] == "denied"
    (run,) = await asking.finished()
    assert (run["outcome"], run["reason"]) == ("denied", "denied by cli: I need them")
    for _ in range(4):
        await asking.receive(alert())  # it goes on firing, and Alertmanager repeats it
        await asking.pass_time(5 * HOUR)
    await asking.finished(1)
    await asking.pass_time(4 * HOUR)
    await asking.receive(alert())
    assert (await asked(asking, 2))["run"] == 2
    assert asking.task.applied == []


async def test_nobody_answers_in_time(asking: Stack) -> None:
    one = await breach(asking)
    asking.clock.now += 4 * HOUR - 1
    await asking.pass_time(0)
    assert (await newest(asking))["state"] == "waiting"
    asking.clock.now += 1
    assert (await asking.core.approval(1))["state"] == "expired", "also before anybody has noted that"
    with pytest.raises(RequestError, match=r"it expired at 2027-01-15T12:00:00\.000Z"):
        await asking.core.decide_approval(1, "approve", one["plan_hash"])
    await asking.pass_time(0)
    (run,) = await asking.finished()
    assert (run["outcome"], run["reason"]) == ("expired", "nobody approved the plan within 4h")
    assert [one["state"] for one in (await asking.core.approvals(state="expired"))["items"]] == ["expired"]
    assert asking.task.applied == []


async def test_the_decider_itself_wakes_for_what_expires(asking: Stack) -> None:
    """One timer: the decider sleeps until then, and not longer."""
    await breach(asking)
    asking.clock.now += 4 * HOUR - 0.3
    deciding = asyncio.create_task(asking.core.decider.run())
    try:
        await asyncio.sleep(0)
        asking.clock.now += 0.3
        (run,) = await asking.finished()
    finally:
        deciding.cancel()
    assert run["outcome"] == "expired"


async def test_the_end_of_the_alert_cancels_what_waits_for_it(asking: Stack) -> None:
    one = await breach(asking)
    await asking.receive(alert(status="resolved"))
    (run,) = await asking.finished()
    assert (run["outcome"], run["reason"]) == ("cancelled", "the alert ended before anybody had approved the plan")
    with pytest.raises(RequestError, match="approval 1 is over: cancelled"):
        await asking.core.decide_approval(1, "approve", one["plan_hash"])
    assert asking.task.applied == []


async def test_one_outage_under_a_new_start_goes_on_waiting_until_that_ends(asking: Stack) -> None:
    """After a restart of Prometheus or Alertmanager, whose end of the first episode never comes."""
    await breach(asking)
    asking.clock.now += 60
    await asking.receive(alert(starts_at=START + 50))
    assert (await newest(asking))["state"] == "waiting"
    blocked = (await asking.core.decisions())["items"][0]
    assert blocked["guard"] == "in-flight"
    assert "waits for a person: upkeeper approve 1, or upkeeper deny 1" in blocked["reason"]
    await asking.receive(alert(starts_at=START + 50, status="resolved"))
    (run,) = await asking.finished()
    assert run["outcome"] == "cancelled"


async def test_a_plan_that_has_changed_is_asked_about_again_with_what_changed(asking: Stack) -> None:
    one = await breach(asking, files=2)
    (asking.attic / "f1").unlink()
    (asking.attic / "g").touch()
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    again = await asked(asking, 2)
    assert asking.task.applied == []
    assert again["run"] == one["run"]
    assert again["plan_hash"] != one["plan_hash"]
    assert again["changes"] == [
        {"change": "gone", "kind": "delete", "object": "f1"},
        {"change": "added", "kind": "delete", "object": "g"},
    ]
    assert again["why"].startswith("the plan has changed since it was approved")
    assert (await asking.core.approval(1))["state"] == "superseded"
    with pytest.raises(RequestError, match="approval 1 is over: superseded"):
        await asking.core.decide_approval(1, "approve", one["plan_hash"])
    await asking.core.decide_approval(2, "approve", again["plan_hash"])
    (run,) = await asking.finished()
    assert run["outcome"] == "effective"
    assert asking.task.applied == ["f0", "g"]


async def test_with_nothing_to_do_nobody_is_asked(asking: Stack) -> None:
    await asking.receive(alert())
    (run,) = await asking.finished()
    assert run["outcome"] == "nothing-to-do"
    assert (await asking.core.approvals())["items"] == []


async def test_what_was_mended_meanwhile_needs_nothing_after_the_approval(asking: Stack) -> None:
    one = await breach(asking, files=1)
    (asking.attic / "f0").unlink()
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    (run,) = await asking.finished()
    assert (run["outcome"], asking.task.applied) == ("nothing-to-do", [])


async def test_a_guard_that_blocks_refuses_the_approval_which_goes_on_waiting(asking: Stack) -> None:
    one = await breach(asking)
    await asking.core.pause(None, "holiday", None)
    assert [guard["guard"] for guard in (await asking.core.approval(1))["guards"]] == ["paused"]
    with pytest.raises(RequestError, match=r"paused: .*; approval 1 goes on waiting") as refusal:
        await asking.core.decide_approval(1, "approve", one["plan_hash"])
    assert (refusal.value.guard, refusal.value.status) == ("paused", 409)
    await asking.core.resume(None)
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    assert (await asking.finished())[0]["outcome"] == "effective"


async def test_a_person_who_runs_it_by_hand_is_told_what_waits(asking: Stack) -> None:
    await breach(asking)
    with pytest.raises(RequestError, match=r"run 1 .* waits for a person: upkeeper approve 1") as refusal:
        await asking.core.start_run("sweep", "attic")
    assert refusal.value.guard == "in-flight"


async def test_a_person_who_asks_for_a_run_need_not_approve_it(asking: Stack) -> None:
    asking.clutter(1)
    await asking.core.start_run("sweep", "attic")
    assert (await asking.finished())[0]["outcome"] == "effective"


async def test_unless_the_task_says_so(asking: Stack) -> None:
    asking.task.facts = asking.task.facts._replace(always_approve=True)
    asking.clutter(1)
    plan = await asking.core.plan("sweep", "attic")
    (held,) = plan["guards"]
    assert (held["guard"], held["reason"]) == ("approval", "a person must approve each plan of sweep")
    await asking.core.start_run("sweep", "attic")
    one = await asked(asking)
    assert one["plan_hash"] == plan["plan_hash"]
    assert one["caller"] == {"trigger": "cli", "name": ""}
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    assert (await asking.finished())[0]["outcome"] == "effective"


# --- restarts


async def test_it_waits_over_any_number_of_restarts_and_holds_nothing_of_the_engine(asking: Stack) -> None:
    one = await breach(asking)
    for _ in range(7):
        await asking.restart()
        assert (await newest(asking))["state"] == "waiting"
        assert asking.core.queue._engine is not None
        assert asking.core.queue._engine._workflow is None, "the engine is not even up"
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    (run,) = await asking.finished()
    assert run["outcome"] == "effective"
    assert asking.task.applied == ["f0", "f1", "f2"]


async def test_an_answer_that_the_engine_never_heard_of_takes_effect_with_the_next_start(asking: Stack) -> None:
    one = await breach(asking)

    async def nothing(*of: int) -> None:
        """As where the process dies right after the answer was stored."""

    asking.core.approving._submit = nothing
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    await asking.restart()
    (run,) = await asking.finished()
    assert run["outcome"] == "effective"
    assert asking.task.applied == ["f0", "f1", "f2"]


async def test_a_first_attempt_that_is_repeated_after_the_approval_does_nothing(asking: Stack) -> None:
    """As after a crash between the question and the engine's own note of the step: both attempts are recovered."""
    one = await breach(asking)
    await asking.core.decide_approval(1, "approve", one["plan_hash"])
    runner = asking.core.queue._runner
    await asking.finished()
    assert await runner.measure(1, 0) == "stop"
    assert await runner.plan(1, 0) == 0
    await runner.apply(1, 0, 0)
    await runner.verify(1, 0)
    assert asking.task.applied == ["f0", "f1", "f2"]
    assert len((await asking.core.approvals())["items"]) == 1


async def test_a_long_run_survives_any_number_of_restarts(stack: Stack) -> None:
    """The engine's own count of recoveries has no say: it counts restarts in order, too."""
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    for number in range(1, 9):
        await wait_until(lambda n=number: stack.task.applied == ["f0"] * n, what="the action to be under way")  # type: ignore[misc]
        await stack.restart()
    stack.task.stuck.set()
    (run,) = await stack.finished()
    assert run["outcome"] == "effective"


async def test_a_run_on_which_the_process_dies_again_and_again_is_given_up(stack: Stack) -> None:
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    for number in range(1, 6):
        await wait_until(lambda n=number: stack.task.applied == ["f0"] * n, what="the action to be under way")  # type: ignore[misc]
        stack.core.queue._taken_up = False  # as where it has no time to note that it ends in order
        await stack.restart()
    (run,) = await stack.finished()
    assert (run["outcome"], run["reason"]) == ("failed", "the remediator died 5 times in a row in the same step")
    assert stack.task.applied == ["f0"] * 5
