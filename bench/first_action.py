"""From an alert's POST to its answer and to the first change on disk: the remediator with a log-rotation remedy, beside
adnanh/webhook and, where ``UPKEEPER_AM_EXECUTOR`` names one, prometheus-am-executor.

All take the same notification; am-executor knows no credentials. The peers start ``touch`` and are done; am-executor
answers once that has ended. The remediator stores the alert and answers, decides by its guards, stores a run, measures,
plans, and rotates a log.
"""

import http.client
import json
import os
import random
import select
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import yaml

from bench.processes import UPKEEPER, file_system, fsync_seconds, our_versions, program, running, version_of
from bench.report import Result
from bench.stats import percentile
from tests.ports import free_port

ROUNDS = 20
"""Counted rounds. One more comes before them, for what either program does only once."""
LOOK_SECONDS = 0.0002
GIVE_UP_SECONDS = 20.0
TOKEN = "not-a-secret"  # webhook's, for this benchmark alone


def _notification(number: int, **labels: str) -> bytes:
    alert = {
        "status": "firing",
        "labels": {"alertname": "UpkeeperLogDirectoryOverLimit", **labels},
        "annotations": {"summary": "The log directory is over its limit."},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{number:016x}",
    }
    return json.dumps(
        {
            "version": "4",
            "groupKey": "{}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "upkeeper",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://127.0.0.1:10749",
            "alerts": [alert],
        }
    ).encode()


@dataclass(frozen=True)
class Times:
    """Seconds from the POST of an alert. answered: to the end of the answer. changed: to the first change on disk."""

    answered: float
    changed: float


def _time_to(changed: Callable[[], bool], port: int, path: str, token: str, body: bytes) -> Times:
    """Posts an alert, and looks for answer and change in turns. Raises RuntimeError and TimeoutError."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECONDS)) as connection:
        connection.connect()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        start = time.perf_counter()
        connection.request("POST", path, body, headers)
        answered: float | None = None
        acted: float | None = None
        while answered is None or acted is None:
            if acted is None and changed():
                acted = time.perf_counter() - start
            if answered is None and select.select([connection.sock], [], [], LOOK_SECONDS)[0]:
                answer = connection.getresponse()
                said = answer.read()
                answered = time.perf_counter() - start
                if answer.status not in (200, 202):
                    raise RuntimeError(f"{path} answered {answer.status}: {said!r}")
            elif answered is not None and acted is None:
                time.sleep(LOOK_SECONDS)
            if time.perf_counter() - start > GIVE_UP_SECONDS:
                raise TimeoutError(f"nothing was done about {path} in {GIVE_UP_SECONDS:g} s")
    return Times(answered, acted)


def _webhook(root: Path, executable: str) -> list[Times]:
    """Each round with adnanh/webhook, which runs ``touch`` on a path in the alert."""
    hook = {
        "id": "act",
        "execute-command": program("touch", "coreutils"),
        "pass-arguments-to-command": [{"source": "payload", "name": "alerts.0.labels.path"}],
        "trigger-rule": {
            "match": {
                "type": "value",
                "value": f"Bearer {TOKEN}",
                "parameter": {"source": "header", "name": "Authorization"},
            }
        },
    }
    hooks, port = root / "hooks.json", free_port()
    hooks.write_text(json.dumps([hook]))
    command = [executable, "-hooks", hooks, "-ip", "127.0.0.1", "-port", port]
    times = []
    with running(command, f"http://127.0.0.1:{port}/", root / "webhook.log"):
        for number in range(1 + ROUNDS):
            path = root / f"touched-{number}"
            times.append(_time_to(path.exists, port, "/hooks/act", TOKEN, _notification(number, path=str(path))))
    return times


def _am_executor(root: Path, executable: str) -> list[Times]:
    """Each round with prometheus-am-executor, which hands the alert over in the environment, so a shell reads it."""
    port, config, times = free_port(), root / "executor.yml", []
    shell = {"cmd": "/bin/sh", "args": ["-c", 'exec touch "$AMX_ALERT_1_LABEL_path"']}
    config.write_text(yaml.safe_dump({"listen_address": f"127.0.0.1:{port}", "commands": [shell]}))
    command = [executable, "-f", config]
    with running(command, f"http://127.0.0.1:{port}/_health", root / "executor.log"):
        for number in range(1 + ROUNDS):
            path = root / f"executed-{number}"
            times.append(_time_to(path.exists, port, "/", TOKEN, _notification(number, path=str(path))))
    return times


class Ours:
    """A remediator with a log directory over its limit for each round, since one on the same would be held back."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = root / "state"
        self._port = free_port()
        self.steps: list[tuple[float, float, float]] = []
        """Of each run, seconds: received to queued, queued to begun, begun to the first action."""

    def measure(self) -> list[Times]:
        """Each round."""
        command = [*UPKEEPER, "remediator", "--config", self._config(), "--state-dir", self._state,
                   "--listen", f"127.0.0.1:{self._port}"]  # fmt: skip
        with running(command, f"http://127.0.0.1:{self._port}/-/ready", self._root / "remediator.log"):
            return [self._round(number) for number in range(1 + ROUNDS)]

    def _config(self) -> Path:
        directories = []
        for number in range(1 + ROUNDS):
            path = self._root / f"logs-{number}"
            path.mkdir()
            (path / "app.log").write_text("a line of a log\n" * 8192)
            rotation = {"max_file_bytes": "64KiB", "method": "rename"}
            directories.append({"name": path.name, "path": str(path), "max_bytes": "96KiB", "rotation": rotation})
        off = {"enabled": False}
        config = self._root / "upkeeper.yml"
        collectors = {"docker": off, "docker_usage": off}
        jobs: dict[str, Any] = {"jobs": []}  # whose runs would be taken for those of alerts
        config.write_text(yaml.safe_dump({"logs": directories, "collectors": collectors, "schedule": jobs}))
        return config

    def _round(self, number: int) -> Times:
        logs = self._root / f"logs-{number}"
        token = (self._state / "tokens" / "alertmanager").read_text().strip()
        time.sleep(random.uniform(0, 0.3))  # no round is to fall into step with the queue's polling
        times = _time_to(
            lambda: len(os.listdir(logs)) > 1,
            self._port,
            "/api/v1/alertmanager",
            token,
            _notification(number, directory=logs.name),
        )
        self._wait_for_the_end()
        return times

    def _wait_for_the_end(self) -> None:
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while (run := self._newest("runs"))["outcome"] is None:
            if time.monotonic() > give_up:
                raise TimeoutError(f"run {run['id']} did not end in {GIVE_UP_SECONDS:g} s")
            time.sleep(0.05)
        if run["outcome"] != "effective":
            raise RuntimeError(f"run {run['id']} ended {run['outcome']}: {run['reason']}")
        received = _unix_seconds(self._newest("alerts")["first_received_at"])
        queued, begun = _unix_seconds(run["requested_at"]), _unix_seconds(run["started_at"])
        acted = _unix_seconds(run["actions"][0]["started_at"])
        self.steps.append((queued - received, begun - queued, acted - begun))

    def _newest(self, kind: str) -> dict[str, Any]:
        token = (self._state / "tokens" / "operator").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self._port}/api/v1/{kind}"
        answer = httpx.get(url, params={"limit": 1}, headers=headers, timeout=GIVE_UP_SECONDS)
        newest: dict[str, Any] = answer.raise_for_status().json()["items"][0]
        return newest


def _unix_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _stages(steps: Sequence[tuple[float, float, float]]) -> str:
    decided, waited, planned = (median(column) * 1000 for column in zip(*steps, strict=True))
    return (
        f"ours stores and decides in {decided:.0f} ms, waits {waited:.0f} ms for the engine to begin,"
        f" measures and plans in {planned:.0f} ms; medians"
    )


def _peers(root: Path) -> Iterator[tuple[str, list[Times], str]]:
    """Name, rounds and version of each."""
    executable = program("webhook", "webhook")
    yield "webhook", _webhook(root, executable), version_of(executable, "-version")
    named = os.environ.get("UPKEEPER_AM_EXECUTOR") or shutil.which("prometheus-am-executor")
    if named:
        yield "prometheus-am-executor", _am_executor(root, named), "of its source"


async def run() -> AsyncIterator[Result]:
    """p50 and p95 of the times to the answer and to the first change on disk, beside each peer."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory:
        root = Path(directory)
        fsync, load = fsync_seconds(root), os.getloadavg()[0]
        peers = list(_peers(root))
        ours = Ours(root)
        first, *times = ours.measure()
    state = f"an fdatasync of 4 KiB takes {fsync * 1000:.2f} ms on {file_system(root.parent)}; load average {load:.1f}"
    for peer, (peer_first, *peer_times), version in peers:
        for what, pick in (("answer to a POST", _answered), ("first action after POST", _changed)):
            for percent in (50, 95):
                notes = (
                    (f"{ROUNDS} alerts one after the other; {peer} starts `touch` and keeps nothing", state)
                    if what.startswith("answer")
                    else (
                        _stages(ours.steps[1:]),
                        f"the first alert after the start took {first.changed * 1000:.0f} ms, and {peer}"
                        f" {peer_first.changed * 1000:.1f} ms",
                    )
                )
                yield Result(
                    name=f"{what}, p{percent}",
                    ours=percentile([pick(each) for each in times], percent) * 1000,
                    peer=percentile([pick(each) for each in peer_times], percent) * 1000,
                    peer_name=peer,
                    unit="ms",
                    goal=None,
                    command="python -m bench first_action",
                    versions={**our_versions(), peer: version},
                    notes=notes if percent == 50 else (),
                )


def _answered(times: Times) -> float:
    return times.answered


def _changed(times: Times) -> float:
    return times.changed
