"""The exporter as a process behind a web config, and a real Prometheus that scrapes it."""

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from exporter.inventory.inventory import Collectors
from tests.e2e.processes import upkeeper
from tests.exporter.web.served import TLS, client_context
from tests.helpers import Hopeless, wait_until
from tests.ports import free_port
from tests.servers import prometheus

pytestmark = pytest.mark.slow

# Nothing is measured: what a busy machine, or a mount that another test makes, lets a collector say is not the web's.
CONFIG = json.dumps(
    {"collectors": {name: {"enabled": False} for name in Collectors.model_fields if name != "stale_after"}}
)
PASSWORD = "correct horse battery staple"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
USERS = f"basic_auth_users:\n  prometheus: {HASH}\n"
MUTUAL = TLS % ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"


@dataclass
class Exporter:
    """A running exporter, its directory, and how it is asked."""

    directory: Path
    port: int
    log: Path

    def write(self, text: str) -> None:
        (self.directory / "web.yml").write_text(text)

    def get(self, path: str = "/metrics", auth: tuple[str, str] | None = None) -> httpx.Response:
        """With the client's certificate. Raises OSError until it listens."""
        verify = client_context(self.directory, "client")
        try:
            return httpx.get(
                f"https://localhost:{self.port}{path}", verify=verify, auth=auth, trust_env=False, timeout=30
            )
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def directory(certificates: Path, tmp_path: Path) -> Path:
    """A copy of the certificates that a test may change."""
    return Path(shutil.copytree(certificates, tmp_path / "web"))


@asynccontextmanager
async def running(directory: Path, web: str) -> AsyncIterator[Exporter]:
    exporter = Exporter(directory, free_port(), directory / "exporter.log")
    exporter.write(web)
    (directory / "upkeeper.yml").write_text(CONFIG)
    arguments = ("--config", directory / "upkeeper.yml", "--listen", f"127.0.0.1:{exporter.port}")
    state = ("--state-dir", directory / "state")
    with upkeeper(
        "exporter", *arguments, *state, "--web.config.file", directory / "web.yml", log=exporter.log
    ) as process:

        def listens() -> bool:
            if process.poll() is not None:
                raise Hopeless(exporter.log.read_text())
            return exporter.get("/-/ready", ("prometheus", PASSWORD)).status_code == 200

        await wait_until(listens, what="the exporter to be ready")
        yield exporter


def scrape(exporter: Exporter, name: str, **options: Any) -> dict[str, Any]:
    tls = {"ca_file": str(exporter.directory / "ca.pem"), "server_name": "localhost"}
    return {
        "job_name": name,
        "scheme": "https",
        "tls_config": tls | options.pop("tls", {}),
        "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}],
        **options,
    }


@pytest.mark.servers
async def test_prometheus_scrapes_it_with_its_certificate_and_its_password(directory: Path) -> None:
    certificate = {"cert_file": str(directory / "client.pem"), "key_file": str(directory / "client.key")}
    stranger = {"cert_file": str(directory / "stranger.pem"), "key_file": str(directory / "stranger.key")}
    right = {"username": "prometheus", "password": PASSWORD}
    async with running(directory, MUTUAL + USERS) as exporter:
        jobs = {
            "good": scrape(exporter, "good", tls=certificate, basic_auth=right),
            "wrong-password": scrape(exporter, "wrong-password", tls=certificate, basic_auth=right | {"password": "x"}),
            "no-password": scrape(exporter, "no-password", tls=certificate),
            "no-certificate": scrape(exporter, "no-certificate", basic_auth=right),
            "stranger": scrape(exporter, "stranger", tls=stranger, basic_auth=right),
        }
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [*jobs.values()]}
        async with prometheus(directory / "prometheus", config) as server, httpx.AsyncClient(verify=False) as client:

            async def query(text: str) -> dict[str, float]:
                answer = (await client.get(f"{server.url}/api/v1/query", params={"query": text})).json()
                return {each["metric"]["job"]: float(each["value"][1]) for each in answer["data"]["result"]}

            async def settled() -> bool:
                return await query("up") == {name: float(name == "good") for name in jobs}

            await wait_until(settled, what="each job to be up or down as it should")
            # What a job scraped is absent after a scrape that took too long, as it may on a busy machine.
            successful = await wait_until(lambda: query("upkeeper_web_config_last_reload_successful"))
            assert successful == {"good": 1.0}
            reasons = {
                "wrong-password": "401",
                "no-password": "401",
                "no-certificate": "certificate required",
                "stranger": "unknown certificate authority",
            }

            async def told() -> bool:
                targets = (await client.get(f"{server.url}/api/v1/targets")).json()["data"]["activeTargets"]
                errors = {target["labels"]["job"]: target["lastError"] for target in targets}
                return all(reason in errors[job] for job, reason in reasons.items())

            await wait_until(told, what="Prometheus to be told why")

            not_after = await wait_until(lambda: query("upkeeper_web_tls_not_after_timestamp_seconds"))
            # A certificate renewed and the password changed under a Prometheus that goes on scraping.
            shutil.copy(directory / "renewed.pem", directory / "server.pem")
            shutil.copy(directory / "renewed.key", directory / "server.key")
            exporter.write(MUTUAL + USERS + "  bob: " + HASH)
            await wait_until(lambda: exporter.get(auth=("bob", PASSWORD)).status_code, equals=200, what="the new user")

            async def renewed() -> bool:
                now = await query("upkeeper_web_tls_not_after_timestamp_seconds")
                return now.get("good", 0.0) > not_after["good"]

            await wait_until(renewed, what="the figures of the renewed certificate")
            await wait_until(settled, what="the scrapes to go on")
    said = exporter.log.read_text()
    for secret in (PASSWORD, HASH, "PRIVATE"):
        assert secret not in said
    assert {line["level"] for line in exporter.lines()} <= {"info", "error"}


async def test_users_and_certificates_follow_their_files(directory: Path) -> None:
    right = ("prometheus", PASSWORD)
    async with running(directory, MUTUAL + USERS) as exporter:
        assert exporter.get().status_code == 401
        exporter.write(MUTUAL + USERS.replace("prometheus", "operator"))
        await wait_until(lambda: exporter.get(auth=right).status_code, equals=401, what="the user to be gone")
        exporter.write(MUTUAL + USERS.replace("$2b$", "$3b$"))
        await wait_until(
            lambda: "config_last_reload_successful 0" in exporter.get(auth=("operator", PASSWORD)).text,
            what="the mistake to be told",
        )
        exporter.write(MUTUAL + USERS)
        await wait_until(lambda: exporter.get(auth=right).status_code, equals=200, what="the user to be back")
        assert "web_config_last_reload_successful 1" in exporter.get(auth=right).text
        errors = [line["error"] for line in exporter.lines() if line["level"] == "error"]
        assert len(errors) == 1
        assert "basic_auth_users.prometheus: this must be a bcrypt hash" in errors[0]
        assert "$3b$" not in exporter.log.read_text().replace(errors[0], "")


async def test_a_mistake_at_the_start_is_one_clear_error(directory: Path) -> None:
    (directory / "web.yml").write_text("tls_server_config: {cert_file: server.pem, key_file: renewed.key}")
    arguments = [sys.executable, "-m", "upkeeper.main", "exporter", "--web.config.file", str(directory / "web.yml")]
    done = subprocess.run(
        [*arguments, "--listen", f"127.0.0.1:{free_port()}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {directory}/web.yml:1: tls_server_config.key_file: ")
    assert "Traceback" not in done.stderr


_IMPORTS = """
import asyncio, sys
from pathlib import Path
from exporter.main import Exporter

async def run():
    exporter = Exporter(None, None, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    await exporter.reload()
    await exporter.close()

asyncio.run(run())
print(" ".join(name for name in sys.modules if name in ("bcrypt", "exporter.web") or name.startswith("exporter.web.")))
"""


def test_nothing_of_it_is_imported_without_a_web_config(directory: Path) -> None:
    def imported(*arguments: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORTS, *arguments],
            capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path), "DOCKER_HOST": "unix:///no"},
        )  # fmt: skip
        return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()

    assert imported() == set()
    (directory / "web.yml").write_text(TLS % "")
    assert "bcrypt" not in imported(str(directory / "web.yml"))


@pytest.mark.parametrize(("listen", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_beyond_loopback_without_a_web_config_is_told_in_one_line(
    tmp_path: Path, listen: str, warned: bool
) -> None:
    from aiohttp import web
    from structlog.testing import capture_logs

    from exporter.base.server import serving

    with capture_logs() as logs:
        async with serving(web.Application(), f"{listen}:{free_port()}"):
            pass
    assert [line["log_level"] for line in logs] == ["warning"] * warned
    assert all("--web.config.file" in line["remedy"] for line in logs)
