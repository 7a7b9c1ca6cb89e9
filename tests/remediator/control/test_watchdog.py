"""A lost Watchdog: nothing runs by itself, a person may, and it ends by itself."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from remediator.app import build_app
from remediator.webhook.watchdog import Watchdog
from tests.remediator.stack import Stack, alert

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def ticks(stack: Stack) -> list[float]:
    """The seconds that have passed, to be changed."""
    now = [1000.0]
    core = stack.core
    watchdog = Watchdog(
        lambda: core._settings.config.watchdog, core._clock, core.decider.look_at_all, ticks=lambda: now[0]
    )
    vars(core)["watchdog"] = watchdog
    return now


@pytest.fixture
async def client(stack: Stack, ticks: list[float]) -> AsyncIterator[Client]:
    core = stack.core
    await core.listen()
    app = build_app(core, lambda: not core.watchdog.reason(), core.watchdog.reason)
    async with TestClient(TestServer(app)) as client:
        yield client


async def ready(client: Client) -> tuple[int, str]:
    answer = await client.get("/-/ready")
    document: dict[str, Any] = await answer.json() if answer.status != 200 else {}
    return answer.status, str(document.get("detail", ""))


async def test_it_is_lost_and_comes_again(stack: Stack, ticks: list[float], client: Client) -> None:
    stack.clutter()
    await stack.receive(alert(alertname="Watchdog"))
    assert (await ready(client), (await stack.core.status())["watchdog_lost"]) == ((200, ""), False)
    ticks[0] += 601.0
    status, why = await ready(client)
    assert status == 503
    assert why.startswith("the alert Watchdog has not come for 10m")
    assert (await stack.core.status())["watchdog_lost"]
    await stack.receive(alert())
    (decision, *_) = (await stack.core.decisions())["items"]
    assert (decision["verdict"], decision["guard"]) == ("blocked", "storm")
    assert decision["reason"].startswith("the alert Watchdog has not come for 10m")
    # A person may run what he sees fit.
    await stack.core.start_run("sweep", "attic")
    (by_hand,) = await stack.finished(1)
    assert by_hand["outcome"] == "effective"
    stack.clutter()
    await stack.receive(alert(alertname="Watchdog"))
    assert await ready(client) == (200, "")
    await stack.pass_time(120.0)
    _, by_itself = await stack.finished(2)
    assert (by_itself["trigger"], by_itself["outcome"]) == ("alert", "effective")


async def test_a_setup_without_one_is_never_without_it(stack: Stack, ticks: list[float], client: Client) -> None:
    stack.clutter()
    ticks[0] += 1e6
    await stack.receive(alert())
    (run,) = await stack.finished(1)
    assert run["outcome"] == "effective"
    assert (await ready(client))[0] == 200
