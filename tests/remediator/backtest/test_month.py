"""A backtest of thirty days on a real Prometheus that has them: what it takes, in time and memory.

In the long form, of alerts that are evaluated each 15 s; ``UPKEEPER_BACKTEST_DAYS`` is another number of days. Time
and memory are printed; of memory it is asserted that it is bounded, however many days there are.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.e2e.processes import UPKEEPER
from tests.helpers import LONG, rounds
from tests.remediator.backtest.past import Span, alerts, lines, remembering
from tests.servers import PROMETHEUSES

DAYS = rounds("BACKTEST_DAYS", 1, 30)
STEP = 15.0
ROOT = Path(__file__).parents[3]
FLAPPING = 40
"""Alerts that come and go, each some times a day."""
STEADY = 5
"""Alerts that fire all the time."""
MOST_MEMORY = 250 * 1024**2
MEASURED = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
CONFIG = {
    "docker": {"host": "unix:///nonexistent/docker.sock"},
    "remedies": [
        {
            "name": "rotate",
            "match": ['alertname="Over"'],
            "task": "log-rotation",
            "target_label": "directory",
            "autonomy": "auto",
        }
    ],
}


def spans(search: random.Random, begin: float, end: float) -> Sequence[Span]:
    """Times at which an alert fires: from two minutes to two hours, some hours apart."""
    found, at = [], begin + search.uniform(0, 6 * 3600)
    while at < end:
        until = at + search.choice([120, 600, 7200])
        found.append((at // STEP * STEP, min(until, end) // STEP * STEP))
        at = until + search.uniform(600, 8 * 3600)
    return found


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.torture
@LONG
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("generation", PROMETHEUSES)
async def test_a_month(tmp_path: Path, generation: str) -> None:
    search = random.Random(10)
    end = time.time() // STEP * STEP
    begin = end - DAYS * 86400
    names = [f"app{number}" for number in range(8)]
    samples = {"up": lines("up", {"job": "a"}, [(begin, end)], STEP), "ALERTS": list[str]()}
    episodes = 0
    for number in range(FLAPPING):
        times = spans(search, begin, end)
        episodes += len(times)
        labels = {"alertname": "Over", "directory": names[number % 8], "instance": str(number)}
        samples["ALERTS"] += alerts(labels, times, STEP)
    for number in range(STEADY):
        samples["ALERTS"] += alerts({"alertname": "Steady", "instance": str(number)}, [(begin, end)], STEP)
    logs = [{"name": name, "path": str(tmp_path), "max_bytes": "1GB"} for name in names]
    config = tmp_path / "upkeeper.yml"
    config.write_text(yaml.safe_dump({**CONFIG, "logs": logs}))
    count = sum(map(len, samples.values()))
    settings = {"global": {"scrape_interval": "15s"}}
    keep = "--storage.tsdb.retention.time=90d"
    async with remembering(tmp_path / "prometheus", samples, settings, keep, generation=generation) as server:
        command = [*UPKEEPER, "backtest", "--since", f"{DAYS}d", "--step", "15s", "--json",
                   "--config", config, "--state-dir", tmp_path / "state", "--prometheus", server.url]  # fmt: skip
        # By a small process: the kernel counts the memory of whoever starts a program as that program's.
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-c", MEASURED, *map(str, command)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            said, measured = process.communicate(timeout=1200)
        took = time.monotonic() - began
    assert process.returncode == 0, measured
    document = json.loads(said)
    memory, processor = map(float, measured.split()[-2:])
    (rotate,) = document["remedies"]
    print(
        f"\nPrometheus {document['version']}: {DAYS} days, {count} samples, {document['episodes']} episodes,"
        f" {rotate['runs']} runs: {took:.1f} s, {processor:.1f} s of processor,"
        f" {memory / 1024**2:.0f} MiB at most"
    )
    assert document["episodes"] == episodes + STEADY
    assert document["gaps"] == []
    assert rotate["episodes"] == episodes
    assert memory < MOST_MEMORY
