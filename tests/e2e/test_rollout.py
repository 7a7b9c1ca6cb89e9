"""Rollouts over real remediators on one PostgreSQL that are killed at any time: each host has one turn, in order.

That one goes on although its driver is killed, and stops by an alert, test_fleet.py shows on fewer hosts.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.test_fleet import FleetHost, begin, database_of, seen
from tests.helpers import LONG, rounds, wait_until
from tests.postgres_server import PostgresServer
from tests.remediator.house import alertmanager_config
from tests.servers import alertmanager

pytestmark = pytest.mark.servers


@LONG
@pytest.mark.torture
async def test_hosts_are_killed_at_any_time_and_each_has_one_turn(
    tmp_path: Path, postgres_factory: Callable[..., PostgresServer]
) -> None:
    # Of each process that was killed, the server notices a little later; three engines at work have sixty at once.
    server = postgres_factory(max_connections="150")
    seed = rounds("SEED", 1, 1)
    random_ = random.Random(seed)
    print(f"UPKEEPER_SEED={seed}")
    url = database_of(tmp_path, server, "rolled")
    async with AsyncExitStack() as stack:
        config = alertmanager_config(tmp_path, "http://127.0.0.1:9/")
        peer = await stack.enter_async_context(alertmanager(tmp_path / "am", config))
        hosts = [FleetHost(tmp_path / name, name, url, peer.url) for name in ("attic", "cellar", "roof")]
        processes = {}
        for host in hosts:
            processes[host.name] = stack.enter_context(host.remediator())  # type: ignore[arg-type]
            await wait_until(host.api.ready, what=f"{host.name} to be ready")
        for _ in range(rounds("ROLLOUTS", 2, 20)):
            before = len(hosts[0].runs())
            id = begin(hosts[0], 2.0)["id"]
            over = time.monotonic() + 300
            while time.monotonic() < over and seen(hosts[0], id)["finished_at"] is None:
                victim = random_.choice(hosts)
                await asyncio.sleep(random_.random() * 2)
                processes[victim.name].kill()  # type: ignore[attr-defined]
                processes[victim.name].wait()  # type: ignore[attr-defined]
                processes[victim.name] = stack.enter_context(victim.remediator())  # type: ignore[arg-type]
                await wait_until(victim.api.ready, what=f"{victim.name} to be ready")
            ended = seen(hosts[0], id)
            assert (ended["state"], ended["reason"]) == ("done", "")
            new = hosts[0].runs()[: len(hosts[0].runs()) - before]
            assert [run["host"] for run in reversed(new)] == ["attic", "cellar", "roof"]
        assert all(host.whole() for host in hosts)
