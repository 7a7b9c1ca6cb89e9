"""The remediator behind a web config: TLS always, users where its own tokens do not already let somebody in."""

import json
import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from remediator import endpoints
from tests.e2e.processes import command, upkeeper
from tests.exporter.web import pki
from tests.helpers import Hopeless, wait_until
from tests.ports import free_port
from tests.servers import alertmanager, prometheus

pytestmark = pytest.mark.slow

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
USER = ("prometheus", "secret")
WEB = f"""
tls_server_config: {{cert_file: server.pem, key_file: server.key}}
basic_auth_users: {{prometheus: {HASH}}}
"""
CONFIG = "collectors: {docker: {enabled: false}, docker_usage: {enabled: false}}\nremedies: []\n"


@dataclass
class Remediator:
    """A running remediator and the directory with its files."""

    directory: Path
    port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def token(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.directory / 'state' / 'tokens' / role).read_text()}"}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Raises OSError until it listens."""
        verify = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        try:
            return httpx.request(method, self.url + path, verify=verify, trust_env=False, timeout=30, **options)
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error

    def rejected(self, reason: str) -> float:
        text = self.ask("GET", "/metrics", auth=USER).text
        [line] = [line for line in text.splitlines() if f'webhook_rejected_total{{reason="{reason}"}}' in line]
        return float(line.split()[-1])


@pytest.fixture
async def remediator(tmp_path: Path) -> AsyncIterator[Remediator]:
    pki.make(tmp_path)
    made = Remediator(tmp_path, free_port())
    (tmp_path / "web.yml").write_text(WEB)
    (tmp_path / "upkeeper.yml").write_text(CONFIG)
    arguments = ("--config", tmp_path / "upkeeper.yml", "--state-dir", tmp_path / "state")
    web = ("--listen", f"127.0.0.1:{made.port}", "--web.config.file", tmp_path / "web.yml")
    with upkeeper("remediator", *arguments, *web, log=tmp_path / "log") as process:

        def ready() -> bool:
            if process.poll() is not None:
                raise Hopeless((tmp_path / "log").read_text())
            return made.ask("GET", "/-/ready", auth=USER).status_code == 200

        await wait_until(ready, what="the remediator to be ready")
        yield made
    assert HASH not in (tmp_path / "log").read_text()


async def test_who_may_do_what(remediator: Remediator) -> None:
    operator, alertmanagers = remediator.token("operator"), remediator.token("alertmanager")
    body = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "r", "groupLabels": {}, "alerts": []}
    body |= {"commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0}
    expected = {
        ("GET", "/metrics"): {"nobody": 401, "user": 200, "operator": 200, "alertmanager": 200, "wrong": 401},
        ("GET", "/-/healthy"): {"nobody": 401, "user": 200, "operator": 200, "alertmanager": 200, "wrong": 401},
        ("GET", "/api/v1/runs"): {"nobody": 401, "user": 401, "operator": 200, "alertmanager": 403, "wrong": 401},
        ("GET", "/api/v1/nothing"): {"nobody": 401, "user": 401, "operator": 404, "alertmanager": 403, "wrong": 401},
        ("POST", "/api/v1/alertmanager"): {
            "nobody": 401, "user": 401, "operator": 403, "alertmanager": 202, "wrong": 401,
        },
    }  # fmt: skip
    who: dict[str, dict[str, Any]] = {
        "nobody": {},
        "user": {"auth": USER},
        "operator": {"headers": operator},
        "alertmanager": {"headers": alertmanagers},
        "wrong": {"headers": {"Authorization": "Bearer wrong"}},
    }
    for (method, path), statuses in expected.items():
        for name, status in statuses.items():
            options = who[name] | ({"json": body} if method == "POST" else {})
            answer = remediator.ask(method, path, **options)
            assert answer.status_code == status, (method, path, name)
            if status == 401:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer" if "/api/" in path else "Basic")
    assert remediator.rejected("unauthorized") == 4


async def test_the_command_line_finds_it_and_trusts_the_ca_that_it_is_told(
    remediator: Remediator, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = remediator.directory / "state"
    known = endpoints.read(state)
    assert known is not None
    assert known.remediator == remediator.url
    failed = command("status", "--state-dir", state, check=False, env={"SSL_CERT_FILE": ""})
    assert failed["error"]["exit_code"] == 4
    assert "set SSL_CERT_FILE to the certificate of its CA" in failed["error"]["message"]
    found = command("status", "--state-dir", state, env={"SSL_CERT_FILE": str(remediator.directory / "ca.pem")})
    assert [service["up"] for service in found["services"] if service["name"] == "remediator"] == [True]


@pytest.mark.servers
async def test_prometheus_and_alertmanager_work_with_it(remediator: Remediator, tmp_path: Path) -> None:
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    token = str(tmp_path / "state" / "tokens" / "alertmanager")
    http = {"authorization": {"credentials_file": token}, "tls_config": tls}
    webhook = {"url": f"{remediator.url}/api/v1/alertmanager", "http_config": http}
    route = {"receiver": "upkeeper", "group_wait": "0s", "group_interval": "200ms"}
    config = tmp_path / "alertmanager.yml"
    config.write_text(json.dumps({"route": route, "receivers": [{"name": "upkeeper", "webhook_configs": [webhook]}]}))
    job = {
        "job_name": "upkeeper-remediator",
        "scheme": "https",
        "tls_config": tls,
        "basic_auth": {"username": USER[0], "password": USER[1]},
        "static_configs": [{"targets": [f"127.0.0.1:{remediator.port}"]}],
    }
    scraping = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
    async with (
        alertmanager(tmp_path / "alertmanager", config) as alerts,
        prometheus(tmp_path / "prometheus", scraping) as server,
        httpx.AsyncClient() as client,
    ):
        await client.post(f"{alerts.url}/api/v2/alerts", json=[{"labels": {"alertname": "Full", "directory": "app"}}])

        async def query(text: str) -> list[float]:
            answer = (await client.get(f"{server.url}/api/v1/query", params={"query": text})).json()
            return [float(each["value"][1]) for each in answer["data"]["result"]]

        async def received() -> bool:
            return await query("upkeeper_alerts_received_total") == [1.0] and await query("up") == [1.0]

        await wait_until(received, what="the alert to be received and that to be scraped")


async def test_a_rate_limit_costs_alertmanager_a_repetition_and_no_alert(remediator: Remediator) -> None:
    (remediator.directory / "web.yml").write_text(WEB + "rate_limit: {interval: 1h, burst: 1}\n")
    await wait_until(lambda: remediator.ask("GET", "/metrics", auth=USER).status_code == 429, what="the limit")
    assert remediator.ask("POST", "/api/v1/alertmanager", headers=remediator.token("alertmanager")).status_code == 503
    assert remediator.ask("GET", "/api/v1/runs", headers=remediator.token("operator")).status_code == 429


async def test_a_renewed_certificate_is_taken_over(remediator: Remediator) -> None:
    name = "upkeeper_web_tls_not_after_timestamp_seconds "

    def not_after() -> float:
        lines = remediator.ask("GET", "/metrics", auth=USER).text.splitlines()
        return float(next(line for line in lines if line.startswith(name)).split()[1])

    before = not_after()
    for suffix in ("pem", "key"):
        shutil.copy(remediator.directory / f"renewed.{suffix}", remediator.directory / f"server.{suffix}")
    await wait_until(lambda: not_after() > before, what="the renewed certificate")
