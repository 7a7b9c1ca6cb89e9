"""The program as its users run it: a child process on a state directory of its own, ended by the test."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

UPKEEPER = (sys.executable, "-m", "upkeeper.main")


@contextmanager
def upkeeper(
    *arguments: str | Path, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """``upkeeper ARGUMENTS`` in the background, its output in a file that a failing test shows."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*UPKEEPER, *map(str, arguments)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield process
    except BaseException:
        print(f"--- {log} ---\n{log.read_text(errors='replace')[-8000:]}")
        raise
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], grace: float = 60.0) -> int:
    """Asks the process to stop, and kills it when it does not. Its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{process.args} did not stop within {grace:g} s of SIGTERM") from None


def command(*arguments: str | Path, check: bool = True, env: Mapping[str, str] | None = None) -> Any:
    """The JSON that ``upkeeper ARGUMENTS --json`` prints."""
    done = subprocess.run(
        [*UPKEEPER, *map(str, arguments), "--json"], capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    if check and done.returncode:
        raise AssertionError(f"{done.args} exited {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


class Api:
    """The remediator's API, asked with the operator's token of a state directory."""

    def __init__(self, url: str, state: Path) -> None:
        self.url = url
        self.state = state
        # Made once, as making it costs more than a request; it keeps no connection, which nobody would close.
        self._client = httpx.Client(timeout=10, verify=False, limits=httpx.Limits(max_keepalive_connections=0))

    def _operator(self) -> dict[str, str]:
        token = (self.state / "tokens" / "operator").read_text().strip()
        return {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: object) -> httpx.Response:
        """The answer to a POST. Raises httpx.TransportError."""
        return self._client.post(f"{self.url}/api/v1/{path}", json=body, headers=self._operator())

    def get(self, path: str) -> Any:
        """The JSON answer. Raises ConnectionError until the remediator listens."""
        try:
            answer = self._client.get(f"{self.url}/api/v1/{path}", headers=self._operator())
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error
        answer.raise_for_status()
        return answer.json()

    def ready(self) -> bool:
        try:
            return self._client.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def post_alerts(self, *alerts: dict[str, Any]) -> httpx.Response:
        """Posts a notification as Alertmanager does, with its credential."""
        token = (self.state / "tokens" / "alertmanager").read_text().strip()
        body = {
            "version": "4",
            "groupKey": "{}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "upkeeper",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://127.0.0.1:9093",
            "alerts": list(alerts),
        }
        headers = {"Authorization": f"Bearer {token}"}
        return self._client.post(f"{self.url}/api/v1/alertmanager", json=body, headers=headers)


def firing(fingerprint: str, starts_at: str = "2026-01-01T00:00:00Z", **labels: str) -> dict[str, Any]:
    """A firing alert as Alertmanager sends it."""
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": fingerprint,
    }
