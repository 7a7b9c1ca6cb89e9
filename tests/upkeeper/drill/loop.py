"""The four real processes of the loop with quick intervals, wired as a test says, and the drill as its users run it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from remediator.statedir import StateDir
from tests import servers
from tests.e2e.processes import upkeeper
from tests.helpers import wait_until
from tests.ports import free_port_range
from tests.upkeeper.commandline import ended, process

CONFIG: dict[str, Any] = {
    "collectors": {
        "logs": {"interval": "500ms"},
        "docker": {"enabled": False},
        "docker_usage": {"enabled": False},
    },
    "schedule": {"jobs": []},
}

RULES = {
    "groups": [
        {
            "name": "quick",
            "rules": [
                {
                    "alert": "UpkeeperLogDirectoryOverLimit",
                    "expr": "upkeeper_log_allocated_bytes > on (job, instance, directory) upkeeper_log_max_bytes",
                    "labels": {"severity": "warning"},
                }
            ],
        }
    ]
}
"""The shipped alert without its ``for:``."""


@dataclass(frozen=True)
class Wiring:
    """How the loop is wired; by default as it should be."""

    rules: bool = True
    scraped: bool = True
    alertmanager: bool = True
    routed: bool = True
    token: str | None = None
    config: dict[str, Any] | None = None


@dataclass(frozen=True)
class Loop:
    """A running loop."""

    state: StateDir
    options: tuple[str, ...]

    async def command(self, *arguments: str) -> tuple[int, Any]:
        """Exit status and JSON of ``upkeeper ARGUMENTS --json``."""
        env = {"UPKEEPER_STATE_DIR": str(self.state.root), "UPKEEPER_URL": self.options[1]}
        async with process(*arguments, "--json", env=env) as started:
            done = await ended(started)
        assert "Traceback" not in done.err, done.err
        return done.status, json.loads(done.out)

    async def drill(self, *arguments: str) -> tuple[int, Any]:
        """Exit status and report of a drill."""
        return await self.command("drill", *self.options, *arguments)


@asynccontextmanager
async def loop(directory: Path, wiring: Wiring) -> AsyncIterator[Loop]:
    """Starts the four, waits until each answers, and stops them with the block."""
    base = free_port_range(2)
    exporter, remediator = f"127.0.0.1:{base}", f"127.0.0.1:{base + 1}"
    state = StateDir(directory / "state")
    config = directory / "upkeeper.yml"
    config.write_text(yaml.safe_dump({**CONFIG, **(wiring.config or {})}))
    shared = ("--config", config, "--state-dir", state.root)
    with (
        upkeeper("exporter", "--listen", exporter, *shared, log=directory / "exporter.log"),
        upkeeper("remediator", "--listen", remediator, *shared, log=directory / "remediator.log"),
    ):
        for address in (exporter, remediator):
            await wait_until(partial(servers.answers, f"http://{address}/-/ready"), what=address)
        receiver = _alertmanager(directory, f"http://{remediator}", state, wiring)
        async with servers.alertmanager(directory / "alertmanager", receiver) as alertmanager:
            document = _prometheus(directory, exporter, alertmanager.url, wiring)
            async with servers.prometheus(directory / "prometheus", document) as prometheus:
                options = ("--url", f"http://{remediator}", "--exporter-url", f"http://{exporter}")
                peers = ("--prometheus-url", prometheus.url, "--alertmanager-url", alertmanager.url)
                yield Loop(state, (*options, *peers))


def _alertmanager(directory: Path, remediator: str, state: StateDir, wiring: Wiring) -> Path:
    token: dict[str, str] = {"credentials_file": str(state.alertmanager_token)}
    if wiring.token is not None:
        token = {"credentials": wiring.token}
    webhook = {"url": f"{remediator}/api/v1/alertmanager", "http_config": {"authorization": token}}
    document = {
        "route": {
            "receiver": "remediator" if wiring.routed else "nobody",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "remediator", "webhook_configs": [webhook]}, {"name": "nobody"}],
    }
    path = directory / "alertmanager.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def _prometheus(directory: Path, exporter: str, alertmanager: str, wiring: Wiring) -> dict[str, Any]:
    rules = directory / "rules.yml"
    rules.write_text(yaml.safe_dump(RULES))
    intervals = ("scrape_interval", "scrape_timeout", "evaluation_interval")
    document: dict[str, Any] = {"global": dict.fromkeys(intervals, "500ms")}
    if wiring.rules:
        document["rule_files"] = [str(rules)]
    if wiring.scraped:
        targets = [{"targets": [exporter]}]
        document["scrape_configs"] = [{"job_name": "upkeeper-exporter", "static_configs": targets}]
    if wiring.alertmanager:
        address = alertmanager.removeprefix("http://")
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
    return document
