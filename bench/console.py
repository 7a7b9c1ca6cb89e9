"""The first byte of every page of the console, and what is sent, on a long record: ``python -m bench console``.

The record holds 100,000 runs with an action each, 20,000 alerts with a decision each, 500 approvals, of which a
tenth wait, and 200,000 records of the audit. The server is a process of its own; a page is asked for over a connection
that is open.
"""

import json
import math
import socket
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple, cast

import httpx
import psutil

from bench.processes import UPKEEPER, cpu_seconds, our_versions, running
from bench.report import Goal, Result
from remediator.audit.record import Entry, Kind, Record, chained
from remediator.console.pages import PAGES
from remediator.console.static import BASE
from remediator.control.opening import open_core
from remediator.statedir import StateDir, read_token
from tests.ports import free_port


class Size(NamedTuple):
    """Of a record: how many of each. approvals: of the newest runs, of which a tenth wait."""

    runs: int
    alerts: int
    approvals: int


LONG = Size(runs=100_000, alerts=20_000, approvals=500)
NARROWED = (
    "/runs?task=log-rotation&outcome=blocked", "/runs?state=waiting", "/runs?before=50000", "/alerts?status=firing",
    "/alerts?before=10000", "/decisions?before=10000", "/approvals?state=asked", "/audit?before=100000",
    "/schedule?job=job-1",
)  # fmt: skip
"""Lists by filters, one of them without a hit, and from the middle."""
EACH = 40
"""Times that each page is asked for."""
CONFIG = {
    "collectors": {"docker": {"enabled": False}, "docker_usage": {"enabled": False}},
    "remediator": {"ballast": 0},
    "schedule": {"jobs": [{"name": f"job-{n}", "at": f"{n} 3 29 2 *", "task": "health-check"} for n in range(12)]},
}


async def run() -> AsyncIterator[Result]:
    """Milliseconds until the first byte at the 95th percentile of the slowest page, and kilobytes of the first page."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as scratch:
        root = Path(scratch)
        state = StateDir(root / "state")
        config = root / "upkeeper.yml"
        config.write_text(json.dumps(CONFIG))
        async with open_core(config, state.root, engine=True):
            pass
        fill(state.database, LONG)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [*UPKEEPER, "remediator", "--config", config, "--state-dir", state.root,
                   "--listen", f"127.0.0.1:{port}"]  # fmt: skip
        with (
            running(command, f"{url}/-/ready", root / "log") as process,
            httpx.Client(base_url=url, follow_redirects=True, timeout=60) as client,
        ):
            client.post(f"{BASE}/login", data={"token": read_token(state.operator_token)}).raise_for_status()
            paths = (*(page.path for page in PAGES), *NARROWED)
            found = {path: _asked(client, BASE + path.replace("{id}", "77"), process) for path in paths}
    slowest = max(found, key=lambda path: found[path][0])
    shown = ", ".join(
        f"{path} {first:.0f} ms ({used:.0f} ms of processor) {size / 1000:.1f} kB"
        for path, (first, size, used) in found.items()
    )
    about = {"command": "python -m bench console", "versions": our_versions(), "peer": None}
    yield Result(
        name=f"first byte of the slowest page, {slowest}, at the 95th percentile",
        ours=found[slowest][0],
        unit="ms",
        goal=Goal("ours", "<", 100),
        notes=[
            f"{LONG.runs:,} runs, {LONG.alerts:,} alerts, {LONG.approvals} approvals; each page {EACH} times",
            shown,
        ],
        **about,  # type: ignore[arg-type]
    )
    yield Result(
        name="bytes of the first page, compressed, without what the browser keeps",
        ours=found["/"][1] / 1000,
        unit="kB",
        goal=Goal("ours", "<", 60),
        **about,  # type: ignore[arg-type]
    )


def _asked(client: httpx.Client, path: str, process: psutil.Process) -> tuple[float, int, float]:
    """Milliseconds until the first byte at the 95th percentile, bytes of the body as they were sent, and milliseconds
    of the server's processor that one takes on average.
    """
    took, size, used = [], 0, 0.0
    for number in range(EACH + 1):
        if number == 1:
            used = cpu_seconds(process)
        start = time.perf_counter()
        with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            took.append(time.perf_counter() - start)
            answer.raise_for_status()
            size = sum(len(part) for part in answer.iter_raw())
    took = sorted(took[1:])  # the first one makes the template
    return 1000 * took[math.ceil(0.95 * EACH) - 1], size, 1000 * (cpu_seconds(process) - used) / EACH


def fill(path: Path, size: Size) -> None:
    """Writes a long record into the SQLite database there, beside whoever has it open."""
    database = sqlite3.connect(path)
    with database:
        for table, row, count in (
            ("alerts", _alert, size.alerts),
            ("runs", _run, size.runs),
            ("actions", _action, size.runs),
            ("decisions", _decision, size.alerts),
            ("approvals", _approval, size.approvals),
        ):
            names = list(row(1, size))
            into = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
            database.executemany(into, (row(number, size) for number in range(1, count + 1)))
        _record(database, size)
    database.close()


def _record(database: sqlite3.Connection, size: Size) -> None:
    """Two records of the audit for each run, behind those that there are: a chain that is whole."""
    [(number, previous)] = database.execute("SELECT number, hash FROM audit_heads WHERE host = ?", (HOST,)).fetchall()
    names = list(Record.__slots__)
    into = f"INSERT INTO audit ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    records = []
    for place in range(2 * size.runs):
        at, kind = NOW - 6.0 * (2 * size.runs - place), ("run.asked", "run.finished")[place % 2]
        entry = Entry(cast(Kind, kind), at, body={"task": "log-rotation", "target": "d1"}, run_id=1 + place // 2)
        one = chained(entry, HOST, number + 1 + place, previous)
        previous = one.hash
        records.append([getattr(one, name) for name in names])
    database.executemany(into, records)
    last = number + 2 * size.runs
    database.execute("UPDATE audit_heads SET number = ?, hash = ? WHERE host = ?", (last, previous, HOST))


NOW, HOST = time.time(), socket.gethostname()
ACTION = {"kind": "rotate", "object": "app.log", "reason": "over 10 MiB", "estimated_bytes": 1000, "identity": "1"}
PLAN = json.dumps({"actions": [{**ACTION, "params": {}}] * 20, "rows": [], "notes": []})
MEASURED = json.dumps({"breached": True, "values": {"allocated_bytes": 20e6}, "detail": "20 MB of 10 MB"})

Row = dict[str, object]


def _alert(n: int, size: Size) -> Row:
    at, firing, directory = NOW - 60.0 * (size.alerts - n), n > size.alerts - 20, f"d{n % 50}"
    labels = {"alertname": "UpkeeperLogDirectoryOverLimit", "severity": "warning", "directory": directory}
    return {
        "id": n, "fingerprint": f"{n:016x}", "starts_at": at, "ends_at": None if firing else at + 30,
        "status": "firing" if firing else "resolved", "labels": json.dumps(labels),
        "annotations": json.dumps({"summary": f"{directory} is too large"}), "generator_url": "",
        "first_received_at": at, "last_received_at": at, "receptions": 1, "decided_receptions": 1,
    }  # fmt: skip


def _run(n: int, size: Size) -> Row:
    at, waits = NOW - 12.0 * (size.runs - n), n > size.runs - size.approvals // 10
    outcome = None if waits else "effective" if n % 7 else "failed"
    return {
        "id": n, "host": HOST, "task": "log-rotation", "target": f"d{n}" if waits else f"d{n % 50}", "params": "{}",
        "trigger": "alert", "caller": "rotate", "dry_run": False,
        "alert_id": size.alerts - n % min(20, size.alerts) if waits else 1 + n % size.alerts,
        "state": "waiting" if waits else "finished", "outcome": outcome, "reason": "3 MB of 10 MB", "requested_at": at,
        "started_at": at, "planned_at": at, "finished_at": None if waits else at + 2, "before": MEASURED,
        "after": MEASURED, "notes": "[]", "estimated_bytes": 1000,
    }  # fmt: skip


def _action(n: int, size: Size) -> Row:
    return {
        "run_id": n, "position": 0, "action": json.dumps(ACTION), "state": "done", "detail": "", "freed_bytes": 1000,
        "started_at": NOW, "finished_at": NOW,
    }  # fmt: skip


def _decision(n: int, size: Size) -> Row:
    return {
        "id": n, "alert_id": n, "host": HOST, "at": NOW, "last_at": NOW, "repeats": 1, "verdict": "run",
        "remedy": "rotate", "task": "log-rotation", "target": "d1", "reason": "remedy rotate matches", "run_id": n,
    }  # fmt: skip


def _approval(n: int, size: Size) -> Row:
    waits = n > size.approvals - size.approvals // 10
    return {
        "id": n, "run_id": size.runs - size.approvals + n, "host": HOST, "plan_hash": "0" * 64, "plan": PLAN,
        "changes": "[]", "why": "a person must approve", "state": "asked" if waits else "denied", "asked_at": NOW - 60,
        "expires_at": NOW + 86400, "decided_at": None if waits else NOW, "trigger": None if waits else "cli",
        "caller": None if waits else "a", "reason": "",
        "actions": 20, "estimated_bytes": 20_000,
    }  # fmt: skip
