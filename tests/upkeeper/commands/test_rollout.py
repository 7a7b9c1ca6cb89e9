"""``rollout`` and ``rollouts`` against a running remediator, which is the only host."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from remediator.model.errors import RequestError
from tests.helpers import wait_until
from tests.upkeeper.conftest import Remote

pytestmark = pytest.mark.slow


@pytest.fixture
async def driven(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Remote]:
    """A remediator that drives rollouts, without the seconds between looks."""
    monkeypatch.setattr("remediator.rollout.driver.STEP", 0.02)
    monkeypatch.setattr("upkeeper.client.rollouts.INTERVAL", 0.02)
    await remote.stack.core.membership.arrive()
    driving = asyncio.create_task(remote.stack.core.driver.run())
    yield remote
    driving.cancel()
    with suppress(asyncio.CancelledError):
        await driving


async def test_it_shows_the_waves_begins_and_follows_to_the_end(driven: Remote) -> None:
    host = driven.stack.core.host
    driven.stack.clutter(2)
    planned = await driven.upkeeper("rollout", "sweep", "attic", "--hosts", f"{host},moon", "--wait", "30s", "-n")
    assert planned.status == 0
    assert "sweep on attic: 1 host in 1 wave, one host at a time" in planned.out
    assert "moon" in planned.out
    assert "there is no such host" in planned.out
    assert (await driven.upkeeper("rollouts")).out == "nothing was rolled out\n"

    following = asyncio.create_task(
        driven.upkeeper("rollout", "sweep", "attic", "--wait", "30s", "--no-alerts", "--yes", "--json")
    )

    async def waits() -> bool:
        items = (await driven.stack.core.rollouts())["items"]
        return bool(items and items[0]["next_at"])

    await wait_until(waits, what="the wait after the only wave")
    driven.stack.clock.now += 30
    done = await following
    assert done.status == 0
    ended = json.loads(done.out)
    assert (ended["state"], [one["state"] for one in ended["hosts"]]) == ("done", ["well"])
    assert driven.stack.task.applied == ["f0", "f1"]
    assert "rollout 1: running" in done.err
    assert "done" in (await driven.upkeeper("rollouts", "1")).out


async def test_it_stops_with_the_reason_and_is_resumed_or_ended(driven: Remote) -> None:
    driven.stack.clutter(1)
    driven.stack.task.broken = True
    begin = ("rollout", "sweep", "attic", "--no-alerts", "--yes")
    stopped = await driven.upkeeper(*begin)
    assert stopped.status == 1
    assert "rollout 1: sweep on attic, stopped" in stopped.out
    assert "run 1 ended failed" in stopped.out
    assert "go on: upkeeper rollout --resume 1" in stopped.out
    ended = await driven.upkeeper("rollout", "--cancel", "1", "--reason", "enough")
    assert (ended.status, "enough" in ended.out) == (3, True)
    again = await driven.upkeeper("rollout", "--resume", "1", "--without", driven.stack.core.host)
    assert (again.status, "left out by" in again.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ((), 2, "name a TASK, or give --resume ID or --cancel ID"),
        (("sweep", "attic", "--resume", "1"), 2, "name a TASK"),
        (("sweep", "attic", "--without", "x"), 2, "--without is for --resume"),
        (("sweep", "attic"), 2, "look at the waves with --dry-run, then add --yes"),
        (("sweep", "attic", "--failure-domain", "rack", "-n"), 2, "no host has a label 'rack'"),
        (("sweep", "attic", "--yes"), 1, "alerts cannot be known: no Alertmanager is known"),
        (
            ("sweep", "attic", "--yes", "--no-alerts", "--hosts", "moon"),
            3,
            "no host can take part: moon: there is no such",
        ),
        (("--resume", "7"), 2, "there is no rollout 7"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(
    driven: Remote, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = await driven.upkeeper("rollout", *arguments)
    assert (done.status, says in done.err) == (status, True), done.err


async def test_waves_that_are_others_by_now_do_not_begin(driven: Remote) -> None:
    answer = await driven.upkeeper("rollout", "sweep", "attic", "-n", "--json")
    planned = json.loads(answer.out)
    with pytest.raises(RequestError, match="the waves are others by now"):
        await driven.stack.core.start_rollout("sweep", "attic", wait=5.0, alerts=False, plan_hash=planned["plan_hash"])
