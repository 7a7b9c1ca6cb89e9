"""`upkeeper status` beside the real Prometheus and Alertmanager."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import LONG, wait_until
from tests.ports import free_port
from tests.servers import server_program
from tests.upkeeper.commandline import invoke
from tests.upkeeper.up.running import Up
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS

pytestmark = pytest.mark.servers


@LONG
@pytest.mark.torture
async def test_an_alert_is_told_with_what_is_done_about_it_also_while_prometheus_is_down(tmp_path: Path) -> None:
    for wanted in (PROMETHEUS, ALERTMANAGER):
        server_program(wanted)
    up = Up(tmp_path)
    up.config.write_text(f"services: [{{name: n8n, probes: [{{url: 'tcp://127.0.0.1:{free_port()}'}}]}}]\n")

    async def seen() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await invoke("status", "--json", "--state-dir", up.state)).out)
        return found

    async def down(source: str) -> dict[str, Any] | None:
        now = await seen()
        ours = [alert for alert in now["alerts"] if alert["name"] == "UpkeeperServiceDown"]
        told = [alert for alert in ours if alert["state"] == "firing" and "restart-down" in alert["doing"]]
        return now if told and now["alerts_from"] == source else None

    async with up.running():
        status = await wait_until(lambda: down("prometheus"), timeout=120, what="the alert to fire and be decided")
        assert any(problem.startswith("UpkeeperServiceDown fires: ") for problem in status["problems"])
        assert any(problem.startswith("n8n/live fails: ") for problem in status["problems"])
        assert {service["name"] for service in status["services"] if service["up"]} == {
            "exporter",
            "remediator",
            "prometheus",
            "alertmanager",
        }
        prometheus = up.pid_of("/prometheus.yml")
        assert prometheus is not None
        os.kill(prometheus, signal.SIGSTOP)
        try:
            status = await wait_until(lambda: down("alertmanager"), what="Alertmanager's word")
            assert "Prometheus is down: no answer in 3 s" in status["problems"]
        finally:
            os.kill(prometheus, signal.SIGCONT)
