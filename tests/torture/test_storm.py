"""A storm of alerts, each an episode of its own: one run per task and target, memory that stays, nothing lost.

With the audit on, as always. 100,000 alerts in a minute in the long form, ``UPKEEPER_STORM`` are another number; the
short form sends as many a second for a few seconds. Figures are printed, and only what does not hang on the machine is
asserted.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from bench.acceptance import generate
from bench.load import Load
from bench.processes import cpu_seconds, file_system, fsync_seconds
from bench.stats import percentile
from tests.e2e.processes import Api, command, end
from tests.helpers import rounds, wait_until
from tests.ports import free_port
from tests.torture.ledger import Ledger

ALERTS = rounds("STORM", short=3_000, long=100_000)
PER_SECOND = 100_000 / 60
THINGS = 25
WARM_UP = 500
WARM_UP_FIRST = 10**9
MIB = 1024**2
GROWTH = 48 * MIB
"""What memory may grow by meanwhile: far less than 100,000 alerts would take, and the rubbish that Python keeps."""
pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.torture, pytest.mark.timeout(300 + ALERTS // 50)]
ROOT = Path(__file__).parents[2]
CONFIG = {
    "collectors": {"docker": {"enabled": False}},
    "remediator": {"ballast": 0},
    "remedies": [
        {
            "name": "act",
            "match": ['alertname="UpkeeperLogDirectoryOverLimit"'],
            "task": "bump",
            "target_label": "directory",
            "autonomy": "auto",
            "cooldown": "1d",
            "storm": {"alerts": None},
        }
    ],
    "schedule": {"jobs": []},
}


class Memory:
    """The resident memory of a process, looked at all the time from a thread."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._end = threading.Event()
        self.most = 0

    def now(self) -> int:
        return int(self._process.memory_info().rss)

    @contextmanager
    def watched(self) -> Iterator[None]:
        def look() -> None:
            while not self._end.wait(0.1):
                self.most = max(self.most, self.now())

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()


@dataclass(frozen=True)
class House:
    """A remediator whose task bumps things in a ledger."""

    api: Api
    state: Path
    process: psutil.Process
    ledger: Ledger
    load: Load

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{(self.state / 'upkeeper.db').as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    async def rest(self) -> None:
        """Until every alert is decided about and every run has ended."""
        undecided = "SELECT count(*) FROM alerts WHERE decided_receptions < receptions"
        await wait_until(lambda: self.query(undecided), equals=[(0,)], timeout=600, what="all to be decided")
        unfinished = "SELECT id FROM runs WHERE state != 'finished'"
        await wait_until(lambda: self.query(unfinished), equals=[], timeout=120, what="all runs to end")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    ledger, port, state = Ledger(), free_port(), tmp_path / "state"
    config, log = tmp_path / "upkeeper.yml", tmp_path / "house.log"
    config.write_text(yaml.safe_dump(CONFIG))
    with ledger.served() as ledger_port, log.open("wb") as output:
        arguments = [config, state, f"127.0.0.1:{port}", ledger_port, THINGS]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.house", *map(str, arguments)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            api = Api(f"http://127.0.0.1:{port}", state)
            asyncio.run(wait_until(api.ready, what="the house to be ready"))
            token = (state / "tokens" / "alertmanager").read_text().strip()
            things = tuple(f"thing{number}" for number in range(THINGS))
            load = Load(port, token, "firing", 10, 10, ALERTS / PER_SECOND, 1, PER_SECOND / 10, things)
            yield House(api, state, psutil.Process(process.pid), ledger, load)
        except BaseException:
            print(f"--- {log} ---\n{log.read_text(errors='replace')[-8000:]}")
            raise
        finally:
            assert end(process) == 0


def _audited(house: House) -> set[int]:
    """The alerts of which the audit says what was decided: in a storm a record is about many."""
    found: set[int] = set()
    for alert, body in house.query("SELECT alert_id, body FROM audit WHERE kind = 'decision'"):
        found |= {alert} if alert is not None else set(json.loads(body)["alerts"])
    return found


async def test_a_storm_starts_one_run_for_each_target_in_memory_that_stays(house: House, tmp_path: Path) -> None:
    warm_up = replace(house.load, first=WARM_UP_FIRST, seconds=WARM_UP / PER_SECOND)
    sent = len((await asyncio.to_thread(generate, warm_up)).latencies) * 10
    await house.rest()
    memory, fsync = Memory(house.process), fsync_seconds(tmp_path)
    before, cpu = memory.now(), cpu_seconds(house.process)

    with memory.watched():
        measured = await asyncio.to_thread(generate, house.load)
        await house.rest()

    cpu = cpu_seconds(house.process) - cpu
    came = len(measured.latencies) * 10
    sent += came
    print(
        f"\n{came} alerts in {measured.seconds:.1f} s ({came / measured.seconds:.0f}/s); webhook p50"
        f" {percentile(measured.latencies, 50) * 1000:.1f} ms, p99 {percentile(measured.latencies, 99) * 1000:.1f} ms,"
        f" longest {max(measured.latencies) * 1000:.0f} ms; an fdatasync of 4 KiB takes {fsync * 1000:.2f} ms on"
        f" {file_system(tmp_path)}; memory {before / MIB:.1f} MiB before, {memory.most / MIB:.1f} MiB at most;"
        f" processor {cpu:.1f} s, {cpu / came * 1e6:.0f} us an alert; load average {psutil.getloadavg()[0]:.1f}"
    )
    assert came >= ALERTS * 0.9
    assert house.query("SELECT count(*) FROM alerts") == [(sent,)]
    undecided = "NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.alert_id = alerts.id)"
    assert house.query(f"SELECT count(*) FROM alerts WHERE {undecided}") == [(0,)]
    assert house.query("SELECT target, count(*) FROM runs GROUP BY target HAVING count(*) != 1") == []
    assert house.query("SELECT count(*) FROM runs WHERE outcome = 'effective'") == [(THINGS,)]
    assert [house.ledger.state(f"thing{number}") for number in range(THINGS)] == [1] * THINGS
    assert _audited(house) == {number for (number,) in house.query("SELECT id FROM alerts")}
    assert memory.most - before < GROWTH
    assert command("audit", "verify", "--state-dir", house.state)
