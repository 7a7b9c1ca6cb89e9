"""What a fleet at rest costs its database, and how soon a host hears that there is an alert of its own.

Each host is the session that a remediator has open at rest, by the remediator's own code: it holds the host's name,
gives a sign of life and listens for calls. ``UPKEEPER_BENCH_HOSTS`` says how many, 1000 unless given;
``UPKEEPER_BENCH_REST`` the seconds at rest, 60 unless given. The server is PostgreSQL 15, which syncs to disk.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import psutil

from bench.processes import our_versions
from bench.report import Goal, Result
from bench.stats import percentile
from remediator.config.fleet import Fleet
from remediator.decide.routing import Routing
from remediator.model.alert import ReceivedAlert
from remediator.store import alerts, fleet
from remediator.store.database import Database
from remediator.store.fleet import Arrived
from remediator.store.presence import Presence
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, private_postgres

HOSTS = int(os.environ.get("UPKEEPER_BENCH_HOSTS", "1000"))
REST_SECONDS = float(os.environ.get("UPKEEPER_BENCH_REST", "60"))
ALERTS = 200
SETTLE_SECONDS = 25.0
HEARD_WITHIN = 30.0
COMMAND = "python -m bench fleet"


class Host:
    """heard: when it was last called (as time.monotonic has it)."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.heard = asyncio.Event()
        self.presence = Presence(url, name, self.heard.set)


def _cpu(server: PostgresServer) -> float:
    """Processor seconds of the server and its sessions so far."""
    main = psutil.Process(server.pid)
    times = [process.cpu_times() for process in [main, *main.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


async def _told(database: Database, routing: Routing, host: Host, number: int) -> float:
    """Seconds from an alert's coming in anywhere to its own host's hearing of it, stored on disk."""
    host.heard.clear()
    received = ReceivedAlert(
        fingerprint=f"{number:016x}", starts_at=1.0, status="firing", labels={"alertname": "A", "node": host.name}
    )
    began = time.monotonic()
    await database.write(partial(alerts.accept, received=[(received, time.time())], router=routing))
    async with asyncio.timeout(HEARD_WITHIN):
        await host.heard.wait()
    return time.monotonic() - began


async def run() -> AsyncIterator[Result]:
    """Processor time of the database at rest, and the time until a host is called."""
    settings = {
        "max_connections": str(HOSTS + 20),
        "fsync": "on",
        "synchronous_commit": "on",
        "shared_buffers": "128MB",
    }
    with private_postgres(15, settings) as server:
        server.sql("CREATE DATABASE fleet")
        url = f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{server.port}/fleet"
        async with AsyncExitStack() as stack:
            database = Database(url, host="door")
            stack.push_async_callback(database.close)
            await database.migrate()
            hosts = [Host(url, f"host-{number:04}") for number in range(HOSTS)]
            for host in hosts:
                await host.presence.claim()
                stack.push_async_callback(host.presence.close)
                one = Arrived(host.name, "0", "bench", None)
                await database.write(partial(fleet.arrive, one=one, now=time.time()))
            listening = []
            for host in hosts:  # as remediators do that were not started at one moment
                listening.append(asyncio.create_task(host.presence.run()))
                await asyncio.sleep(fleet.BEAT / HOSTS)
            await asyncio.sleep(SETTLE_SECONDS)
            before, began = _cpu(server), time.monotonic()
            await asyncio.sleep(REST_SECONDS)
            share = (_cpu(server) - before) / (time.monotonic() - began)
            up = sum(one.up for one in await database.read(partial(fleet.standings, now=time.time())))
            routing = Routing("door", Fleet(host_label="node"))
            chosen = random.Random(1).choices(hosts, k=ALERTS)
            seconds = [await _told(database, routing, host, number) for number, host in enumerate(chosen)]
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
    median = percentile(seconds, 50) * 1000
    versions = our_versions() | {"PostgreSQL": "15"}
    yield Result(
        name=f"processor of the database with {HOSTS} hosts at rest",
        ours=share * 100,
        peer=None,
        unit="% of a core",
        goal=Goal("ours", "<", 10.0),
        command=COMMAND,
        versions=versions,
        notes=[
            f"Over {REST_SECONDS:g} s; {up} of the hosts were up by their signs of life, one each {fleet.BEAT:g} s.",
            "Of each host the session that it has at rest, by the remediator's code; all in one process.",
        ],
    )
    yield Result(
        name="alert taken anywhere until its own host is called, p99",
        ours=percentile(seconds, 99) * 1000,
        peer=None,
        unit="ms",
        goal=Goal("ours", "<", 2000.0),
        command=COMMAND,
        versions=versions,
        notes=[
            f"{ALERTS} alerts, one after the other, each on disk; the median is {median:.1f} ms.",
            "Deciding, planning and the first action on the host are not in it: see first_action.",
        ],
    )
