"""Demotion after failures, promotion where the config says so, with the real engine and record."""

import asyncio

import pytest

from remediator.config.guards import Breaker
from remediator.config.remedies import Trust
from remediator.model.errors import RequestError
from remediator.store import audit
from tests.helpers import wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Stack, alert, settings

COOLDOWN = 60.0


def use(stack: Stack, **changes: object) -> None:
    stack.remedies = [REMEDY.model_copy(update={"breaker": Breaker(failures=50), **changes})]
    stack.core.apply_settings(settings(stack.task, stack.remedies))


async def outage(stack: Stack, number: int) -> None:
    """An alert that comes and, once a run has ended that it asked for, goes."""
    stack.clutter(3)
    await stack.receive(alert(starts_at=START + number))
    for one in await waiting(stack, number):
        await stack.core.decide_approval(one, "approve", (await stack.core.approval(one))["plan_hash"])
    await stack.finished(number)
    await stack.receive(alert(starts_at=START + number, status="resolved"))
    stack.clock.now += COOLDOWN


async def waiting(stack: Stack, number: int) -> list[int]:
    """The requests for approval, once the run of that number waits or has ended."""

    async def at_rest() -> bool:
        run = (await stack.core.runs())["items"][0]
        return run["id"] == number and run["state"] in ("waiting", "finished")

    await wait_until(at_rest, what=f"run {number} to wait or to end")
    return [one["id"] for one in (await stack.core.approvals(state="asked"))["items"]]


async def kinds(stack: Stack) -> list[str]:
    records = await stack.core._database.read(lambda connection: audit.records(connection, stack.core._database.host))
    return [record.kind for record in records if record.kind.startswith("autonomy.")]


async def test_after_failures_in_a_row_it_asks_then_only_observes_until_somebody_gives_it_back(stack: Stack) -> None:
    use(stack, trust=Trust(demote_after=3))
    stack.task.useless = True
    for number in range(1, 4):
        (remedy,) = (await stack.core.remedies())["items"]
        assert (remedy["autonomy"], remedy["changed"]) == ("auto", None)
        await outage(stack, number)
    (remedy,) = (await stack.core.remedies())["items"]
    assert (remedy["autonomy"], remedy["configured_autonomy"]) == ("approve", "auto")
    assert remedy["changed"] is not None
    assert remedy["changed"]["reason"] == "its last 3 runs in a row failed or did not help"
    assert await kinds(stack) == ["autonomy.demoted"]

    await stack.restart()
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "approve", "over a restart too"
    for number in range(4, 7):
        await outage(stack, number)
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "observe"
    await outage(stack, 7)
    assert (await stack.core.runs())["items"][0]["outcome"] == "planned"

    at_once = [stack.core.reset_autonomy("tidy") for _ in range(4)]
    became = await asyncio.gather(*at_once, return_exceptions=True)
    assert [one for one in became if isinstance(one, dict)] == [{"remedy": "tidy", "autonomy": "auto"}]
    assert [one.status for one in became if isinstance(one, RequestError)] == [404] * 3
    assert (await stack.core.remedies())["items"][0]["changed"] is None
    with pytest.raises(RequestError, match="has the autonomy that the config says: auto"):
        await stack.core.reset_autonomy("tidy")
    with pytest.raises(RequestError, match="there is no remedy 'tidi'; the remedies: tidy"):
        await stack.core.reset_autonomy("tidi")
    await outage(stack, 8)
    assert (await stack.core.runs())["items"][0]["outcome"] == "ineffective"
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "auto", "what was before counts no longer"
    assert await kinds(stack) == ["autonomy.demoted", "autonomy.demoted", "autonomy.reset"]


async def test_a_changed_config_counts_at_once(stack: Stack) -> None:
    use(stack, trust=Trust(demote_after=1))
    stack.task.useless = True
    await outage(stack, 1)
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "approve"
    use(stack, autonomy="observe")
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "observe"


async def test_what_did_well_is_suggested_and_promoted_only_where_the_config_says_so(stack: Stack) -> None:
    use(stack, autonomy="observe", trust=Trust(plans=1))
    await outage(stack, 1)
    (remedy,) = (await stack.core.remedies())["items"]
    assert remedy["autonomy"] == "observe"
    assert remedy["suggestion"] == {"autonomy": "approve", "reason": "1 of its plans had something to do"}
    use(stack, autonomy="observe", trust=Trust(plans=1, promote="auto"))
    stack.clock.now += 86400
    await outage(stack, 2)
    (remedy,) = (await stack.core.remedies())["items"]
    assert (remedy["autonomy"], remedy["configured_autonomy"]) == ("approve", "observe")
    assert await kinds(stack) == ["autonomy.promoted"]


async def test_a_person_promotes_what_the_track_suggests_and_nothing_else(stack: Stack) -> None:
    use(stack, autonomy="observe", trust=Trust(plans=1))
    with pytest.raises(RequestError, match="is at observe, and its track does not suggest more") as error:
        await stack.core.promote("tidy", "approve")
    assert error.value.status == 409
    await outage(stack, 1)
    with pytest.raises(RequestError, match="is at observe, and its track suggests approve"):
        await stack.core.promote("tidy", "auto")
    with pytest.raises(RequestError, match="there is no remedy 'tidi'"):
        await stack.core.promote("tidi", "approve")
    assert await stack.core.promote("tidy", "approve") == {"remedy": "tidy", "autonomy": "approve"}
    (remedy,) = (await stack.core.remedies())["items"]
    assert (remedy["autonomy"], remedy["configured_autonomy"], remedy["suggestion"]) == ("approve", "observe", None)
    assert remedy["changed"] is not None
    assert remedy["changed"]["reason"] == "promoted by hand: 1 of its plans had something to do"
    with pytest.raises(RequestError, match="is at approve, and its track does not suggest more"):
        await stack.core.promote("tidy", "approve")
    await stack.restart()
    stack.clock.now += 86400
    await outage(stack, 2)  # and it asks now
    assert (await stack.core.runs())["items"][0]["outcome"] == "effective"
    await stack.core.reset_autonomy("tidy")
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "observe"
    assert await kinds(stack) == ["autonomy.promoted", "autonomy.reset"]
