"""kill -9 of a real remediator that holds a page back: the page goes out by itself."""

import os
import signal
from pathlib import Path

import httpx
import pytest
import yaml

from tests.alertmanager.mailbox import Mailbox, served
from tests.e2e.processes import Api, upkeeper
from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.house import alertmanager_config
from tests.servers import alertmanager

pytestmark = pytest.mark.servers

LEASE = 5


async def test_a_page_that_nobody_holds_any_more_goes_out(tmp_path: Path) -> None:
    logs, state, port, ours = tmp_path / "logs", tmp_path / "state", free_port(), free_port()
    logs.mkdir()
    (logs / "app.log").write_text("a line\n" * 20_000)
    there = f"http://127.0.0.1:{port}"
    remedy = {
        "name": "rotate",
        "match": ['alertname="UpkeeperLogDirectoryOverLimit"'],
        "task": "log-rotation",
        "target_label": "directory",
        "autonomy": "auto",
        "page": "hold",
        "settle": "10m",
    }
    rotation = {"max_file_bytes": "32KiB", "method": "rename"}
    config = tmp_path / "upkeeper.yml"
    document = {
        "logs": [{"name": "app", "path": str(logs), "max_bytes": "64KiB", "rotation": rotation}],
        "collectors": {"docker": {"enabled": False}},
        "schedule": {"jobs": []},
        "remedies": [remedy],
        "alertmanager": {"url": there},
        "remediator": {"page_lease": f"{LEASE}s"},
    }
    config.write_text(yaml.safe_dump(document))
    arguments = ("remediator", "--config", config, "--state-dir", state, "--listen", f"127.0.0.1:{ours}")
    api = Api(f"http://127.0.0.1:{ours}", state)
    token = state / "tokens" / "alertmanager"
    with served(Mailbox(), login=False) as mailbox:
        webhook = f"{api.url}/api/v1/alertmanager"
        written = alertmanager_config(tmp_path, webhook, token=token, smarthost=mailbox.address)
        async with alertmanager(tmp_path / "am", written, port=port), httpx.AsyncClient(verify=False) as client:

            async def active() -> list[str]:
                found = (await client.get(f"{there}/api/v2/silences")).json()
                return [one["comment"] for one in found if one["status"]["state"] == "active"]

            with upkeeper(*arguments, log=tmp_path / "remediator.log") as process:
                await wait_until(api.ready, what="the remediator")
                labels = {"alertname": "UpkeeperLogDirectoryOverLimit", "directory": "app", "room": "logs"}
                alert = [{"labels": labels}]
                (await client.post(f"{there}/api/v2/alerts", json=alert)).raise_for_status()
                await wait_until(active, what="the silence")
                await wait_until(lambda: api.get("runs/1")["outcome"], equals="effective", what="the run")
                assert (await active())[0].startswith("Upkeeper run 1 (log-rotation on app)")
                assert mailbox.subjects == []
                os.kill(process.pid, signal.SIGKILL)
                await wait_until(lambda: mailbox.subjects, equals=["firing logs"], what="the mail")
            assert await active() == []
            # Started again it does not hold back what people know of by now.
            with upkeeper(*arguments, log=tmp_path / "remediator.log"):
                await wait_until(api.ready, what="the remediator")
                shown = await wait_until(lambda: api.get("runs/1")["page"]["reason"], what="the record")
                assert shown == "somebody ended it in Alertmanager, or it lapsed"
                assert await active() == []
