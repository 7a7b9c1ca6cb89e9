"""Two real Alertmanagers that gossip: whatever becomes of one of them, there is one run an episode."""

import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from remediator.webhook.reconcile import IN_FLIGHT
from tests.helpers import wait_until
from tests.ports import free_port, free_port_range
from tests.remediator.conftest import REMEDY
from tests.remediator.house import House, alertmanager_config, house
from tests.servers import ALERTMANAGERS, Server, alertmanager, alertmanager_program

pytestmark = pytest.mark.servers

PATIENT = REMEDY.model_copy(update={"cooldown": 900.0})
NOBODY = 1
"""A port that no peer listens on: whoever is to gossip there is cut off."""


@pytest.fixture(params=ALERTMANAGERS)
def program(request: pytest.FixtureRequest) -> Path:
    return alertmanager_program(request.param)


@asynccontextmanager
async def pair(directory: Path, program: Path, *, gossip: bool = True) -> AsyncIterator[tuple[House, Server, Server]]:
    ports, cluster, ours = (free_port(), free_port()), free_port_range(2), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        h = await stack.enter_async_context(house(directory, PATIENT, urls))
        webhook = f"http://127.0.0.1:{ours}/api/v1/alertmanager"
        config = alertmanager_config(directory, webhook, token=h.core.state.alertmanager_token)
        servers = []
        for number, port in enumerate(ports):
            peer = cluster + 1 - number if gossip else NOBODY
            arguments = [
                f"--cluster.listen-address=127.0.0.1:{cluster + number}",
                f"--cluster.peer=127.0.0.1:{peer}",
                "--cluster.settle-timeout=1s",
                "--cluster.peer-timeout=2s",
                "--cluster.gossip-interval=50ms",
            ]
            started = alertmanager(directory / f"am{number}", config, program=program, port=port, cluster=arguments)
            servers.append(await stack.enter_async_context(started))
        await wait_until(lambda: peers(urls[0]), equals=2 if gossip else 1, what="the cluster")
        await stack.enter_async_context(h.serving(ours))
        yield h, servers[0], servers[1]


async def peers(url: str) -> int:
    async with httpx.AsyncClient(verify=False) as client:
        return len((await client.get(f"{url}/api/v2/status")).json()["cluster"]["peers"])


async def outcomes(h: House) -> list[str | None]:
    return [run["outcome"] for run in (await h.core.runs())["items"]]


async def receptions(h: House) -> int:
    return sum(alert["receptions"] for alert in (await h.core.alerts())["items"])


async def one_run_an_episode(h: House) -> None:
    await wait_until(lambda: outcomes(h), equals=["effective"], what="the run")
    assert await h.alerts() == [("firing", None)]
    await h.core.reconciler.look()
    assert await h.alerts() == [("firing", None)]
    assert await outcomes(h) == ["effective"]


async def test_both_are_well(tmp_path: Path, program: Path) -> None:
    async with pair(tmp_path, program) as (h, _, _):
        await h.post()
        await one_run_an_episode(h)
        await h.post(ended=True)
        await wait_until(h.alerts, equals=[("resolved", None)], what="the end")
        assert h.missed("firing") == h.missed("resolved") == 0


async def test_one_is_frozen(tmp_path: Path, program: Path) -> None:
    async with pair(tmp_path, program) as (h, first, second):
        both, since = list(h.urls), h.clock() - 1
        os.kill(first.pid, signal.SIGSTOP)
        try:
            h.urls = [second.url]
            await h.post(since=since)
            await one_run_an_episode(h)
        finally:
            os.kill(first.pid, signal.SIGCONT)
        h.urls = both
        await h.post(since=since)  # as Prometheus posts it again to both
        await h.core.reconciler.look()
        assert await outcomes(h) == ["effective"]
        await h.post(ended=True)
        await wait_until(h.alerts, equals=[("resolved", None)], what="the end, of one episode")
        assert await outcomes(h) == ["effective"]


async def test_one_is_killed(tmp_path: Path, program: Path) -> None:
    async with pair(tmp_path, program) as (h, first, second):
        os.kill(first.pid, signal.SIGKILL)
        h.urls = [second.url]
        await h.post()
        await one_run_an_episode(h)
        await h.post(ended=True)
        await wait_until(h.alerts, equals=[("resolved", None)], what="the end")


async def test_one_is_cut_off(tmp_path: Path, program: Path) -> None:
    """Each tells of everything, as it does not know that the other has."""
    async with pair(tmp_path, program, gossip=False) as (h, first, second):
        since = h.clock() - 1
        await h.post(since=since)
        await wait_until(lambda: receptions(h), equals=2, what="the alert from both")
        await one_run_an_episode(h)
        # One loses Prometheus: the end that it tells is wrong, as the other goes on.
        await h.post_to([first.url], ended=True)
        ended = time.time()
        await wait_until(h.alerts, equals=[("resolved", None)], what="an end from one")
        # The other hears of it once more, seconds later by the clock of Alertmanager.
        await wait_until(lambda: time.time() > ended + IN_FLIGHT + 1, what="the next turn of Prometheus")
        await h.post_to([second.url], since=since)
        await h.look()
        await h.look(ahead=70)
        assert (await h.alerts())[-1] == ("firing", None)
        assert len(await h.alerts()) == 1
        assert await outcomes(h) == ["effective"]
