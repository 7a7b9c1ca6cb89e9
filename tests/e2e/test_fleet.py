"""Two real remediators on one PostgreSQL: whoever takes an alert, its own host decides about it, once, and acts; and a
task is rolled out over both, although its driver is killed, until an alert stops it.
"""

import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import UPKEEPER, command, firing
from tests.e2e.test_crash import LINE, Host
from tests.helpers import wait_until
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from tests.remediator.house import alertmanager_config
from tests.servers import Server, alertmanager

pytestmark = pytest.mark.servers

ALERT = "UpkeeperLogDirectoryOverLimit"


class FleetHost(Host):
    """One of several on a database; its alerts carry the instance ``NAME:9100``."""

    def __init__(self, root: Path, name: str, url: Path, alertmanager: str, **labels: str) -> None:
        root.mkdir()
        super().__init__(root, lines=2000)
        self.name = name
        config = yaml.safe_load(self.config.read_text())
        config |= {
            "host": {"name": name, "labels": labels},
            "alertmanager": {"url": alertmanager},
            "reconcile": {"trust_after": "1s"},
            "state": {"database_url_file": str(url)},
            "fleet": {"hosts": {"attic:[0-9]+": "attic", "cellar:[0-9]+": "cellar", "roof:[0-9]+": "roof"}},
            "remedies": [
                {"name": "rotate", "match": [f'alertname="{ALERT}"'], "task": "log-rotation",
                 "target_label": "directory", "autonomy": "auto"}
            ],
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(config))

    @property
    def rotated(self) -> bool:
        return len(list(self.logs.iterdir())) > 1

    def whole(self) -> bool:
        return self.kept_lines() == [LINE.format(number=number) for number in range(self.lines)]


def alert_of(name: str) -> dict[str, Any]:
    fingerprint = name.encode().hex().ljust(16, "0")[:16]
    return firing(fingerprint, alertname=ALERT, directory="app", instance=f"{name}:9100")


def fire(peer: Server, name: str) -> None:
    """An alert that Alertmanager hears of, and that has begun just now on a host."""
    labels = {"alertname": "Broken", "severity": "warning", "instance": f"{name}:9100"}
    alert = {"labels": labels, "startsAt": datetime.now(UTC).isoformat(timespec="milliseconds")}
    httpx.post(f"{peer.url}/api/v2/alerts", json=[alert]).raise_for_status()


def database_of(root: Path, postgres: PostgresServer, name: str) -> Path:
    """A new database; the file with its URL."""
    postgres.sql(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    url = root / "database-url"
    url.write_text(f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres.port}/{name}\n")
    url.chmod(0o600)
    return url


def begin(host: FleetHost, wait: float, **more: Any) -> dict[str, Any]:
    """Begins a rollout."""
    answer = host.api.post("rollouts", {"task": "log-rotation", "target": "app", "wait": wait, **more})
    assert answer.status_code == 202, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def seen(host: FleetHost, id: int) -> dict[str, Any]:
    """A rollout as a host tells it."""
    found: dict[str, Any] = host.api.get(f"rollouts/{id}")
    return found


def states(host: FleetHost, id: int) -> list[tuple[str, str]]:
    return [(one["host"], one["state"]) for one in seen(host, id)["hosts"]]


async def test_two_hosts_on_one_database(tmp_path: Path, postgres15: PostgresServer) -> None:
    url = database_of(tmp_path, postgres15, "fleet")
    async with AsyncExitStack() as running:
        config = alertmanager_config(tmp_path, "http://127.0.0.1:9/")
        peer = await running.enter_async_context(alertmanager(tmp_path / "am", config))
        attic = FleetHost(tmp_path / "attic", "attic", url, peer.url)
        cellar = FleetHost(tmp_path / "cellar", "cellar", url, peer.url, rack="a")
        first = running.enter_context(attic.remediator())  # type: ignore[arg-type]
        await wait_until(attic.api.ready, what="the first remediator to be ready")
        running.enter_context(cellar.remediator())  # type: ignore[arg-type]
        await wait_until(cellar.api.ready, what="the second remediator to be ready")

        # A name is one host's.
        twin = subprocess.run(
            [*UPKEEPER, "remediator", "--config", attic.config, "--state-dir", tmp_path / "twin", "--listen",
             "127.0.0.1:0"], capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert twin.returncode == 2
        assert "another remediator is the host 'attic' on this database" in twin.stderr

        # Both take the alert of one of them, and that one decides, once.
        for taker in (attic, cellar):
            assert taker.api.post_alerts(alert_of("cellar"), alert_of("roof")).status_code == 202
        await wait_until(lambda: [run["outcome"] for run in attic.runs()], equals=["effective"], timeout=15)
        (run,) = attic.runs()
        assert (run["host"], run["task"]) == ("cellar", "log-rotation")
        decisions = attic.api.get("decisions")["items"]
        assert [one["host"] for one in decisions if one["verdict"] == "run"] == ["cellar"]
        (lost,) = {one["reason"] for one in decisions if one["verdict"] == "no-host"}
        assert lost.startswith("there is no such host: the alert's label instance names 'roof'")
        assert (cellar.rotated, cellar.whole(), attic.rotated) == (True, True, False)

        # A rollout waits after its first host: that of the rack, as the attic may be in any.
        everywhere = {"task": "log-rotation", "target": "app", "hosts": ["attic", "cellar", "roof"]}
        planned = attic.api.post("rollouts/plan", everywhere).json()
        assert [(one["host"], one["wave"]) for one in planned["hosts"]] == [("attic", 1), ("cellar", 2), ("roof", 0)]
        assert (planned["id"], attic.api.get("rollouts")["items"]) == (None, [])
        rollout = begin(attic, 3600.0, failure_domain="rack")["id"]
        await wait_until(lambda: states(attic, rollout), equals=[("cellar", "well"), ("attic", "pending")])
        waits_until = seen(attic, rollout)["next_at"]

        # What one has accepted happens although that is killed: on the other at once, on itself after its restart.
        assert attic.api.post_alerts(alert_of("attic")).status_code == 202
        first.kill()  # type: ignore[attr-defined]
        first.wait()  # type: ignore[attr-defined]
        running.enter_context(attic.remediator())  # type: ignore[arg-type]
        await wait_until(attic.api.ready, what="the first remediator to be ready again")
        await wait_until(
            lambda: [(run["host"], run["outcome"]) for run in cellar.runs() if run["trigger"] == "alert"],
            equals=[("attic", "effective"), ("cellar", "effective")],
        )

        # The rollout waits on where it was, its driver having been killed. What fires on a host that had no turn yet
        # does not count; what begins on one that had stops it.
        assert seen(cellar, rollout)["next_at"] == waits_until
        fire(peer, "attic")
        fire(peer, "cellar")
        await wait_until(lambda: seen(cellar, rollout)["state"], equals="stopped", timeout=30)
        assert seen(cellar, rollout)["reason"].startswith("the alert Broken fires on cellar since ")
        assert states(cellar, rollout) == [("cellar", "well"), ("attic", "pending")]

        # Of another one, which nothing stops, each host has its turn once, the second after the wait.
        rollout = begin(attic, 1.0)["id"]
        await wait_until(lambda: seen(cellar, rollout)["state"], equals="done", timeout=60)
        later, earlier, _ = [run for run in cellar.runs() if run["trigger"] == "api"]
        assert [(run["host"], run["outcome"]) for run in (earlier, later)] == [
            ("attic", "nothing-to-do"), ("cellar", "nothing-to-do"),
        ]  # fmt: skip
        ended, asked = (datetime.fromisoformat(str(at)) for at in (earlier["finished_at"], later["requested_at"]))
        assert (asked - ended).total_seconds() >= 1
        here = ("--config", attic.config, "--state-dir", attic.state)
        everywhere = command("run", "log-rotation", "app", "--all", "--dry-run", *here)
        assert sorted((run["host"], run["outcome"]) for run in everywhere["items"]) == [
            ("attic", "planned"), ("cellar", "planned"),
        ]  # fmt: skip
        chains = command("audit", "verify", *here)
        assert [(one["host"], one["faults"]) for one in chains["chains"]] == [("attic", []), ("cellar", [])]
