"""Rollouts over real remediators on one PostgreSQL beside a real Alertmanager: one host at a time, stopped by a new
alert, and gone on with although its driver is killed.
"""

import random
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import command
from tests.e2e.test_fleet import FleetHost
from tests.helpers import LONG, rounds, wait_until
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from tests.remediator.house import alertmanager_config
from tests.servers import Server, alertmanager

pytestmark = pytest.mark.servers


class Estate:
    """Hosts on one database that ask one Alertmanager."""

    def __init__(self, root: Path, postgres: PostgresServer, peer: Server, *names: str) -> None:
        postgres.sql("DROP DATABASE IF EXISTS rolled WITH (FORCE)", "CREATE DATABASE rolled")
        url = root / "database-url"
        url.write_text(f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres.port}/rolled\n")
        url.chmod(0o600)
        self.peer = peer
        self.hosts = [FleetHost(root / name, name, url) for name in names]
        for host in self.hosts:
            config = yaml.safe_load(host.config.read_text())
            config |= {
                "alertmanager": {"url": peer.url},
                "reconcile": {"trust_after": "1s"},
                "host": {**config["host"], "labels": {"rack": host.name}},
                "remedies": [],
                "watchdog": {"stops": False},
            }
            host.config.write_text(yaml.safe_dump(config))

    async def start(self, stack: AsyncExitStack, host: FleetHost) -> Any:
        process = stack.enter_context(host.remediator())  # type: ignore[arg-type]
        await wait_until(host.api.ready, what=f"{host.name} to be ready")
        return process

    def fire(self, name: str) -> None:
        """An alert that has begun just now on a host."""
        labels = {"alertname": "Broken", "severity": "warning", "instance": f"{name}:9100"}
        alert = {"labels": labels, "startsAt": datetime.now(UTC).isoformat(timespec="milliseconds")}
        httpx.post(f"{self.peer.url}/api/v2/alerts", json=[alert]).raise_for_status()


def begin(host: FleetHost, wait: str, *more: str) -> dict[str, Any]:
    here = ("--config", host.config, "--state-dir", host.state)
    begun: dict[str, Any] = command(
        "rollout", "log-rotation", "app", "--wait", wait, "--yes", "--no-wait", *more, *here
    )  # fmt: skip
    return begun


def seen(host: FleetHost, id: int) -> dict[str, Any]:
    found: dict[str, Any] = host.api.get(f"rollouts/{id}")
    return found


def states(rollout: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["host"], one["state"]) for one in rollout["hosts"]]


async def test_host_after_host_although_the_driver_is_killed_until_an_alert_begins(
    tmp_path: Path, postgres15: PostgresServer
) -> None:
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(
            alertmanager(tmp_path / "am", alertmanager_config(tmp_path, "http://127.0.0.1:9/"))
        )
        estate = Estate(tmp_path, postgres15, peer, "attic", "cellar")
        attic, cellar = estate.hosts
        driver = await estate.start(stack, attic)
        await estate.start(stack, cellar)
        here = ("--config", attic.config, "--state-dir", attic.state)
        planned = command("rollout", "log-rotation", "app", "--hosts", "attic,cellar,roof", "--dry-run", *here)
        assert [(one["host"], one["wave"]) for one in planned["hosts"]] == [("attic", 1), ("cellar", 2), ("roof", 0)]
        assert planned["id"] is None

        # Killed in the wait after its own turn, it goes on where it was.
        id = begin(attic, "4s")["id"]
        await wait_until(lambda: states(seen(attic, id)), equals=[("attic", "well"), ("cellar", "pending")])
        driver.kill()
        driver.wait()
        assert states(seen(cellar, id)) == [("attic", "well"), ("cellar", "pending")]
        await estate.start(stack, attic)
        await wait_until(lambda: seen(attic, id)["state"], equals="done", timeout=60)
        first, second = reversed(attic.runs())
        assert [(run["host"], run["outcome"]) for run in (first, second)] == [
            ("attic", "effective"), ("cellar", "effective"),
        ]  # fmt: skip
        ended, asked = (datetime.fromisoformat(str(one)) for one in (first["finished_at"], second["requested_at"]))
        assert (asked - ended).total_seconds() >= 4
        assert all((host.rotated, host.whole()) == (True, True) for host in estate.hosts)

        # What fired before does not count; what begins on a host that had its turn stops it, and cellar has none.
        estate.fire("cellar")
        body = {"task": "log-rotation", "target": "app", "failure_domain": "rack", "at_once": 1}
        id = attic.api.post("rollouts", body).json()["id"]
        await wait_until(lambda: states(seen(attic, id)), equals=[("attic", "well"), ("cellar", "pending")])
        estate.fire("attic")
        await wait_until(lambda: seen(attic, id)["state"], equals="stopped", timeout=30)
        stopped = seen(cellar, id)
        assert stopped["reason"].startswith("the alert Broken fires on attic since ")
        assert states(stopped) == [("attic", "well"), ("cellar", "pending")]
        assert len(attic.runs()) == 3
        chains = command("audit", "verify", *here)
        assert [(one["host"], one["faults"]) for one in chains["chains"]] == [("attic", []), ("cellar", [])]


@LONG
@pytest.mark.torture
async def test_hosts_are_killed_at_any_time_and_each_has_one_turn(tmp_path: Path, postgres15: PostgresServer) -> None:
    seed = rounds("SEED", 1, 1)
    random_ = random.Random(seed)
    print(f"UPKEEPER_SEED={seed}")
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(
            alertmanager(tmp_path / "am", alertmanager_config(tmp_path, "http://127.0.0.1:9/"))
        )
        estate = Estate(tmp_path, postgres15, peer, "attic", "cellar", "roof")
        processes = {host.name: await estate.start(stack, host) for host in estate.hosts}
        for _ in range(rounds("ROLLOUTS", 2, 20)):
            before = len(estate.hosts[0].runs())
            id = begin(estate.hosts[0], "2s")["id"]
            over = time.monotonic() + 300
            while time.monotonic() < over:
                victim = random_.choice(estate.hosts)
                time.sleep(random_.random() * 2)  # other processes go on meanwhile
                processes[victim.name].kill()
                processes[victim.name].wait()
                processes[victim.name] = await estate.start(stack, victim)
                if seen(victim, id)["finished_at"] is not None:
                    break
            ended = seen(estate.hosts[0], id)
            assert (ended["state"], ended["reason"]) == ("done", "")
            new = estate.hosts[0].runs()[: len(estate.hosts[0].runs()) - before]
            assert [run["host"] for run in reversed(new)] == ["attic", "cellar", "roof"]
        assert all(host.whole() for host in estate.hosts)
