"""`upkeeper up` as it ships, an outage beside a drill: who is mailed what."""

import asyncio
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from tests.alertmanager.mailbox import Mailbox, part, served
from tests.exporter.serving import answering
from tests.helpers import wait_until
from tests.upkeeper.up.running import Up

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]


async def test_an_outage_is_mailed_and_the_drill_beside_it_is_not(tmp_path: Path) -> None:
    ready = {"status": 200}

    async def n8n(request: web.Request) -> web.Response:
        return web.Response(status=ready["status"] if request.path == "/ready" else 200)

    up = Up(tmp_path)
    with served(Mailbox(), login=False) as mailbox:
        async with answering(n8n) as url:
            email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address}
            probes = [
                {"name": "live", "url": f"{url}/live"},
                {"name": "ready", "url": f"{url}/ready", "means": "database not reachable"},
            ]
            config = {
                "services": [{"name": "n8n", "probes": probes}],
                "collectors": {name: {"enabled": False} for name in ("docker", "docker_usage", "host")},
                "notify": {
                    "email": email | {"require_tls": False},
                    "host": "pa-host",
                    "runbooks": "https://wiki.example.org/runbooks",
                    "dashboards": "https://grafana.example.org",
                },
            }
            up.config.write_text(yaml.safe_dump(config))
            async with up.running():
                drill = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "upkeeper.main", "drill", f"--state-dir={up.state}"),
                    env=up.env,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
                ready["status"] = 503
                await wait_until(lambda: mailbox.mails, timeout=180, what="the mail")
                ready["status"] = 200
                await wait_until(partial(resolved, mailbox), timeout=180, what="the mail of the end")
                output, _ = await drill.communicate()
    assert drill.returncode == 0, output.decode()
    assert mailbox.subjects == [
        "[critical] n8n: database not reachable (probe ready) on pa-host",
        "[resolved, was critical] n8n: database not reachable (probe ready) on pa-host",
    ]
    plain = part(mailbox.mails[0][1], "plain")
    assert "What to do: https://wiki.example.org/runbooks/UpkeeperServiceDown.md" in plain
    assert "The remedy restart-down matches. It only records what service-restart would do" in plain
    assert (
        f"What Upkeeper does about it, on pa-host only: http://127.0.0.1:{up.ports.remediator}/console/alerts/of/"
        in plain
    )
    assert "Dashboard: https://grafana.example.org/d/upkeeper-services" in plain
    assert f"To silence, on pa-host: http://127.0.0.1:{up.ports.alertmanager}" in plain


def resolved(mailbox: Mailbox) -> bool:
    return any("resolved" in subject for subject in mailbox.subjects)
