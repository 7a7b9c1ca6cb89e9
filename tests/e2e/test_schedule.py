"""The schedule of a real remediator: started late, killed, stopped and gone on with, no time is run for twice."""

import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.processes import Api, command, upkeeper
from tests.helpers import LONG, wait_until
from tests.ports import free_port

pytestmark = [pytest.mark.servers, pytest.mark.slow]

HOUR = 3600.0


class Host:
    """A config with a log directory, a schedule, a state directory and a port."""

    def __init__(self, root: Path, *jobs: dict[str, Any], timezone: str = "UTC") -> None:
        logs = root / "logs"
        logs.mkdir()
        (logs / "app.log").write_text("a line like any other\n" * 10_000)
        self.config = root / "upkeeper.yml"
        rotation = {"max_file_bytes": "32KiB", "method": "rename"}
        self.config.write_text(
            yaml.safe_dump({
                "logs": [{"name": "app", "path": str(logs), "max_bytes": "1GiB", "rotation": rotation}],
                "collectors": {"docker": {"enabled": False}},
                "docker": {"host": f"unix://{root}/no-engine.sock"},
                "schedule": {"timezone": timezone, "jobs": list(jobs)},
            })
        )  # fmt: skip
        self.state = root / "state"
        self.port = free_port()
        self.log = root / "remediator.log"
        self.api = Api(f"http://127.0.0.1:{self.port}", self.state)

    def remediator(self) -> "Iterator[object]":
        return upkeeper(
            "remediator", "--config", self.config, "--state-dir", self.state, "--listen", f"127.0.0.1:{self.port}",
            log=self.log,
        )  # fmt: skip

    def known(self) -> list[str]:
        """The jobs that the scheduler has stored: it lists one of the config before its first look at it."""
        with closing(sqlite3.connect(self.state / "upkeeper.db")) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM jobs")]

    def was_off(self, seconds: float) -> None:
        """As though no remediator had run for so long: the jobs are known since twice as long."""
        then = time.time() - seconds
        with closing(sqlite3.connect(self.state / "upkeeper.db")) as connection, connection:
            changed = connection.execute(
                "UPDATE jobs SET since = ?, handled_until = ?, done_until = ?", (then - seconds, then, then)
            )
            assert changed.rowcount

    def jobs(self) -> dict[str, Any]:
        return {job["name"]: job for job in self.api.get("schedule")["items"]}

    def runs(self, task: str) -> list[dict[str, Any]]:
        return [run for run in self.api.get("runs")["items"] if run["task"] == task]


@LONG
@pytest.mark.torture
async def test_killed_while_it_makes_up_for_the_night_each_part_is_run_once(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    away = (time.gmtime().tm_min + 30) % 60  # its time does not come during the test
    host = Host(tmp_path, {"name": "night", "at": f"{away} * * * *", "task": "daily", "catch_up_within": "2d"})
    with host.remediator():
        await wait_until(host.api.ready)
        await wait_until(host.known, equals=["night"], what="the job to be known")
    host.was_off(5 * HOUR)
    for _ in range(4):
        with host.remediator() as process:
            await wait_until(host.api.ready)
            time.sleep(moments.uniform(0, 0.4))
            process.kill()
            process.wait()
    with host.remediator():
        await wait_until(host.api.ready)
        await wait_until(lambda: host.jobs()["night"]["last_outcome"], what="the job to have ended")
        recent = host.jobs()["night"]["recent"]
        assert [(due["state"], due["count"]) for due in recent] == [("ran", 1), ("missed", 4)]
        (parent,) = host.runs("daily")
        assert [target["run"] for target in recent[0]["targets"]] == [parent["id"]]
        assert parent["state"] == "finished"
        assert {task: len(host.runs(task)) for task in ("health-check", "log-rotation", "docker-cleanup")} == {
            "health-check": 1, "log-rotation": 1, "docker-cleanup": 1,
        }  # fmt: skip
        (cleanup,) = host.runs("docker-cleanup")
        assert cleanup["dry_run"]  # nobody has said that it may act by itself
        why = command("schedule", "--why", "night", "--at", recent[0]["due_at"], "--state-dir", host.state)
        assert why["state"] == "ran"
    alone = command("schedule", "--config", host.config, "--state-dir", host.state)
    assert alone["items"][0]["recent"] == recent


@LONG
@pytest.mark.torture
async def test_stopped_over_its_time_and_gone_on_with_it_runs_once(tmp_path: Path) -> None:
    """As a laptop that sleeps over a minute: SIGSTOP, SIGCONT."""
    host = Host(tmp_path, {"name": "often", "at": "* * * * *", "task": "validate-config"})
    with host.remediator() as process:
        await wait_until(host.api.ready)
        await wait_until(host.known, equals=["often"], what="the job to be known")
        process.send_signal(signal.SIGSTOP)
        begun = time.time()
        time.sleep(61 - begun % 60)
        process.send_signal(signal.SIGCONT)
        await wait_until(lambda: host.jobs()["often"]["last_outcome"], what="the job to have run")
        due = [each["due_at"] for each in host.jobs()["often"]["recent"]]
        assert len(due) == len(set(due))
        assert len(host.runs("validate-config")) == len(due)
