"""A service loses its database: the mail that a person reads, from the exporter's probe to the SMTP server."""

import re
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml
from aiohttp import web

from remediator.config.notify import Notify
from remediator.statedir import StateDir
from tests import servers
from tests.alertmanager.conftest import without_waits
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.e2e.processes import upkeeper
from tests.exporter.serving import answering
from tests.helpers import wait_until
from tests.ports import free_port_range
from upkeeper.share import share_path
from upkeeper.up.messages import Local
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]


async def test_the_mail_says_what_is_wrong_and_what_ended_it(layout: Layout, tmp_path: Path) -> None:
    database = {"status": 200}

    async def n8n(request: web.Request) -> web.Response:
        return web.Response(status=database["status"] if request.path == "/ready" else 200)

    ports = Ports.from_base(free_port_range(4))
    exporter = f"127.0.0.1:{ports.exporter}"
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        async with answering(n8n) as url:
            probes = [
                {"name": "live", "url": f"{url}/live"},
                {"name": "ready", "url": f"{url}/ready", "means": "database not reachable"},
            ]
            config = tmp_path / "upkeeper.yml"
            off = {name: {"enabled": False} for name in ("docker", "docker_usage")}
            document = {"services": [{"name": "n8n", "probes": probes}], "collectors": off}
            config.write_text(yaml.safe_dump(document))
            write_configs(layout, ports, Notify.model_validate({"email": email}), share_path(), local=Local("pa-host"))
            without_waits(layout.alertmanager_config)
            state = StateDir(tmp_path / "exporter")
            arguments = ("--listen", exporter, "--config", config, "--state-dir", state.root)
            with upkeeper("exporter", *arguments, log=tmp_path / "exporter.log"):
                await wait_until(partial(servers.answers, f"http://{exporter}/-/ready"), what="the exporter")
                async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as alertmanager:
                    prometheus = yaml.safe_load(layout.prometheus_config.read_bytes())
                    target = {"targets": [alertmanager.url.removeprefix("http://")]}
                    prometheus["alerting"]["alertmanagers"] = [{"static_configs": [target]}]
                    async with servers.prometheus(layout.prometheus, prometheus) as scraping:
                        await wait_until(partial(well, scraping.url), equals=2, what="both probes to be known and well")
                        database["status"] = 503
                        _, firing = await wait_until(partial(mail_of, mailbox, "n8n"), timeout=120, what="the mail")
                        database["status"] = 200
                        _, resolved = await wait_until(
                            partial(mail_of, mailbox, "[resolved"), timeout=120, what="the mail of the end"
                        )
    assert firing["Subject"] == "[critical] n8n: database not reachable (probe ready) on pa-host"
    plain = part(firing, "plain")
    assert (
        "The probe ready of n8n fails: status 503, expected 200, which means: database not reachable. "
        "The probe live succeeds, so n8n itself answers." in plain
    )
    since = re.search(r"Since: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", plain)
    assert since is not None
    assert resolved["Subject"] == "[resolved, was critical] n8n: database not reachable (probe ready) on pa-host"
    plain = part(resolved, "plain")
    assert "What was wrong: The probe ready of n8n fails: status 503, expected 200" in plain
    assert "Why it ended: Every probe of n8n succeeds." in plain
    # The same beginning in both.
    assert since[0] in plain


async def well(prometheus: str) -> int:
    """How many probes succeed, as far as Prometheus has heard."""
    async with httpx.AsyncClient(base_url=prometheus, verify=False) as client:
        try:
            answer = await client.get("/api/v1/query", params={"query": "upkeeper_probe_success == 1"})
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error
    return len(answer.raise_for_status().json()["data"]["result"])


def mail_of(mailbox: Mailbox, text: str) -> object:
    return next((mail for mail in mailbox.mails if text in str(mail[1]["Subject"])), None)
