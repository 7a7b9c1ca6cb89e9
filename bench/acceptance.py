"""How many alerts a second the remediator takes, each on disk before its 202: 10 connections, 10 alerts a webhook."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import yaml

from bench.load import Load, Measured
from bench.processes import UPKEEPER, cpu_seconds, file_system, fsync_seconds, our_versions, running
from bench.report import Goal, Result
from bench.stats import percentile
from tests.ports import free_port

CONNECTIONS = 10
ALERTS = 10
SECONDS = 6.0
WARM_UP_SECONDS = 1.0
WARM_UP_FIRST = 10**9
"""Number of the first episode of the warm-up: higher than any that is counted."""
PACE = 1000
"""Alerts a second in the paced run: the goal."""
DECIDED_WITHIN = 60.0


@dataclass(frozen=True)
class Scenario:
    """What is sent: alerts that are stored and done with, or such as each asks for a decision."""

    name: str
    load: Load
    note: str
    rate_goal: Goal | None = None
    p99_goal: Goal | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it. backlog: seconds until the last alert was decided. cpu: processor seconds of the remediator."""

    measured: Measured
    backlog: float
    cpu: float
    fsync: float
    file_system: str

    @property
    def alerts_per_second(self) -> float:
        return len(self.measured.latencies) * ALERTS / self.measured.seconds


def scenarios() -> Iterator[Scenario]:
    """A fresh remediator takes each."""
    load = Load(0, "", "firing", CONNECTIONS, ALERTS, SECONDS)
    yield Scenario(
        "nothing to decide",
        replace(load, status="resolved"),
        note="as fast as it answers; resolved alerts, which are stored and ask for no decision",
    )
    yield Scenario(
        "each decided",
        load,
        note="as fast as it answers; firing alerts that match a remedy, so each is decided by its guards meanwhile",
        rate_goal=Goal("ours", ">=", PACE),
        p99_goal=Goal("ours", "<", 25),
    )
    yield Scenario(
        f"each decided, {PACE:,} alerts/s sent",
        replace(load, webhooks_per_second=PACE / ALERTS),
        note="sent evenly; a webhook's time runs from when it was due",
        p99_goal=Goal("ours", "<", 25),
    )


def _config(root: Path) -> Path:
    """One log directory that is well below its limit: the first alert leads to a run, the others are blocked."""
    logs = root / "logs"
    logs.mkdir()
    config = root / "upkeeper.yml"
    inventory = {
        "logs": [{"name": "app", "path": str(logs), "max_bytes": "1GiB"}],
        "collectors": {"docker": {"enabled": False}, "docker_usage": {"enabled": False}},
    }
    config.write_text(yaml.safe_dump(inventory))
    return config


def generate(load: Load) -> Measured:
    """What the load generator, in a process of its own, measures."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        timeout=load.seconds + 60,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    return Measured(**json.loads(done.stdout))


def _count(database: Path, where: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM alerts WHERE {where}").fetchone()
        return int(count)


def _check_stored(database: Path, accepted: int) -> None:
    stored = _count(database, f"fingerprint < '{WARM_UP_FIRST:016x}'")
    if stored != accepted:
        raise RuntimeError(f"{accepted} alerts were accepted, and {stored} are stored")


def _drain(database: Path) -> float:
    """Seconds until every stored alert is decided. Raises TimeoutError."""
    start = time.monotonic()
    while _count(database, "decided_receptions < receptions"):
        if time.monotonic() - start > DECIDED_WITHIN:
            raise TimeoutError(f"alerts still wait for a decision {DECIDED_WITHIN:g} s after the last one came")
        time.sleep(0.1)
    return time.monotonic() - start


def play(scenario: Scenario) -> Outcome:
    """Starts a remediator on an empty state directory and sends the scenario's load."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory:
        root = Path(directory)
        state, port = root / "state", free_port()
        fsync = fsync_seconds(root)
        command = [
            *UPKEEPER,
            "remediator",
            "--config",
            _config(root),
            "--state-dir",
            state,
            "--listen",
            f"127.0.0.1:{port}",
        ]
        with running(command, f"http://127.0.0.1:{port}/-/ready", root / "remediator.log") as process:
            token = (state / "tokens" / "alertmanager").read_text().strip()
            load = replace(scenario.load, port=port, token=token)
            generate(replace(load, seconds=WARM_UP_SECONDS, first=WARM_UP_FIRST))
            _drain(state / "upkeeper.db")
            before = cpu_seconds(process)
            measured = generate(load)
            cpu = cpu_seconds(process) - before
            _check_stored(state / "upkeeper.db", len(measured.latencies) * ALERTS)
            backlog = _drain(state / "upkeeper.db")
        return Outcome(measured, backlog, cpu, fsync, file_system(root))


async def run() -> AsyncIterator[Result]:
    """Throughput and p99 of each scenario."""
    result = partial(Result, peer=None, command="python -m bench acceptance", versions=our_versions())
    for scenario in scenarios():
        outcome = play(scenario)
        latencies = outcome.measured.latencies
        yield result(
            name=f"acceptance, {scenario.name}",
            ours=outcome.alerts_per_second,
            unit="alerts/s",
            goal=scenario.rate_goal,
            notes=(
                f"{CONNECTIONS} connections, {ALERTS} alerts a webhook, {SECONDS:g} s; {scenario.note}",
                f"{outcome.cpu / outcome.measured.seconds:.2f} processors used, until all was decided"
                f" {outcome.backlog:.1f} s more",
                f"state on {outcome.file_system}, where an fdatasync of 4 KiB takes {outcome.fsync * 1000:.2f} ms",
            ),
        )
        if scenario.load.status == "firing":
            decided = len(latencies) * ALERTS / (outcome.measured.seconds + outcome.backlog)
            yield result(
                name=f"decisions, {scenario.name}",
                ours=decided,
                unit="decisions/s",
                goal=None,
                notes=("from the first webhook to the last decision in the record and the audit",),
            )
        yield result(
            name=f"acceptance, {scenario.name}, p99",
            ours=percentile(latencies, 99) * 1000,
            unit="ms",
            goal=scenario.p99_goal,
            notes=(f"{len(latencies)} webhooks; p50 {percentile(latencies, 50) * 1000:.1f} ms",),
        )
