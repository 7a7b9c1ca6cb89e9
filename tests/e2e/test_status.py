"""`upkeeper status` beside real services, some of which are down or stand still."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from remediator import endpoints
from tests.e2e.processes import Api, firing, upkeeper
from tests.helpers import wait_until
from tests.ports import free_port
from tests.upkeeper.commandline import Done, invoke

pytestmark = pytest.mark.slow


class Parts:
    """An exporter and a remediator on a state directory of their own, watching one service that answers and one that
    does not.
    """

    def __init__(self, directory: Path, listening: int) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.config = directory / "upkeeper.yml"
        self.ports = free_port(), free_port()
        self.closed = free_port()
        (directory / "logs").mkdir()
        self.config.write_text(f"""
filesystems: {{exclude_mountpoints: "^/.", warn_used_ratio: 1, critical_used_ratio: 1}}
docker: {{host: "unix://{directory}/no-engine.sock"}}
schedule: {{jobs: []}}
logs: [{{name: app, path: "{directory}/logs", max_bytes: 1KiB}}]
services:
  - name: letta
    probes: [{{url: "tcp://127.0.0.1:{listening}"}}]
  - name: n8n
    probes: [{{name: ready, url: "tcp://127.0.0.1:{self.closed}"}}]
""")

    @contextmanager
    def running(self) -> Iterator[tuple[int, int]]:
        """The process ids of the exporter and of the remediator."""
        exporter, remediator = self.ports
        common = ("--config", self.config, "--state-dir", self.state)
        with (
            upkeeper("exporter", *common, f"--listen=127.0.0.1:{exporter}", log=self.directory / "e.log") as one,
            upkeeper("remediator", *common, f"--listen=127.0.0.1:{remediator}", log=self.directory / "r.log") as other,
        ):
            try:
                yield one.pid, other.pid
            finally:
                for process in (one, other):
                    process.send_signal(signal.SIGCONT)

    async def upkeeper(self, *arguments: str) -> Done:
        return await invoke(*arguments, "--state-dir", self.state)

    async def status(self) -> tuple[int, dict[str, Any]]:
        done = await self.upkeeper("status", "--json")
        return done.status, json.loads(done.out)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    # Nobody accepts: the kernel does, as far as the queue is long, and each look at the status is a probe.
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        yield Parts(tmp_path, listening.getsockname()[1])


async def test_it_says_what_is_wrong_as_a_health_check_does_and_what_is_not_known(parts: Parts) -> None:
    refused = f"cannot connect to 127.0.0.1:{parts.closed}: Connection refused"
    with parts.running() as (exporter, remediator):
        api = Api(f"http://127.0.0.1:{parts.ports[1]}", parts.state)
        await wait_until(api.ready, what="the remediator")
        endpoints.update(parts.state, exporter=f"http://127.0.0.1:{parts.ports[0]}")

        async def measured() -> bool:
            return len((await parts.status())[1]["watched"]) > 5

        await wait_until(measured, what="the exporter's first figures")
        status, seen = await parts.status()
        assert status == 1
        assert seen["problems"] == [f"n8n/ready fails: {refused}"]
        assert seen["checks"] == [
            {"name": "n8n/ready", "state": "failed", "detail": refused},
            {"name": "letta/live", "state": "ok", "detail": seen["checks"][1]["detail"]},
        ]
        checked = await parts.upkeeper("run", "health-check", "--json")
        assert (checked.status, json.loads(checked.out)["before"]["values"]) == (1, {"letta/live": 1, "n8n/ready": 0})

        (parts.directory / "logs" / "app.log").write_bytes(b"x" * 100_000)
        answer = api.post_alerts(firing("00000000000000aa", alertname="Burning", severity="critical"))
        assert answer.status_code == 202

        async def all_known() -> list[str] | None:
            problems = (await parts.status())[1]["problems"]
            return problems if len(problems) == 3 and "no remedy" in problems[1] else None

        problems = await wait_until(all_known, timeout=60, what="the directory to be over its limit")
        assert problems == [
            f"n8n/ready fails: {refused}",
            "Burning fires; no remedy matches it",
            "log directory app: 100 KiB of 1 KiB",
        ]
        short, whole = await parts.upkeeper("status"), await parts.upkeeper("status", "--all")
        assert short.out.splitlines()[0] == f"look: {problems[0]}"
        assert "1 of 2 checks" in short.out
        assert "letta/live" not in short.out
        assert "letta/live" in whole.out
        assert "Burning" in whole.out.split("ALERT")[1]

        os.kill(exporter, signal.SIGSTOP)
        status, seen = await parts.status()
        assert (status, seen["watched"], len(seen["checks"])) == (1, [], 2)
        assert seen["problems"][0] == "the exporter is down: no answer in 3 s"
        assert any("What the exporter measures is not known" in note for note in seen["notes"])
        os.kill(exporter, signal.SIGCONT)

        os.kill(remediator, signal.SIGSTOP)
        status, seen = await parts.status()
        assert (status, seen["remediator"]) == (1, None)
        assert seen["problems"][:2] == ["the remediator is down: no answer in 3 s", f"n8n/ready fails: {refused}"]
        assert [check["name"] for check in seen["checks"]] == ["n8n/ready", "letta/live"]
        assert any("exporter's last round" in note for note in seen["notes"])
        assert len(seen["watched"]) > 5
        assert "unfinished" not in (await parts.upkeeper("status")).out
        os.kill(remediator, signal.SIGCONT)
        await wait_until(api.ready, what="the remediator to go on")

    status, seen = await parts.status()
    assert status == 1
    assert seen["problems"][0].startswith("the exporter is down: ")
    assert any(problem.startswith("the remediator is not running: ") for problem in seen["problems"])
    assert f"n8n/ready fails: {refused}" in seen["problems"]
