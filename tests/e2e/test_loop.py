"""The whole loop on real parts: a breach is measured, alerted, remedied, verified and resolved.

UPKEEPER_PROMETHEUS and UPKEEPER_ALERTMANAGER choose other binaries than those on PATH (`make compat`).
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dockerd import Dockerd
from tests.e2e.pictures import take_of_run
from tests.e2e.processes import Api, command, upkeeper
from tests.helpers import require_program, wait_until
from tests.ports import free_port_range

pytestmark = pytest.mark.servers

LOG_LIMIT = 1024**2
HEALTHY_AFTER_START = "touch /healthy; exec sleep 86400"


def remedy(name: str, alertname: str, task: str, **target: str) -> dict[str, Any]:
    return {"name": name, "match": [f'alertname="{alertname}"'], "task": task, "autonomy": "auto", **target}


def write_config(path: Path, logs: Path, dockerd: Dockerd) -> None:
    """Limits that the fixtures breach, and every remedy on auto."""
    config = {
        "logs": [{"name": "app", "path": str(logs), "max_bytes": LOG_LIMIT, "rotation": {"max_file_bytes": 65536}}],
        "filesystems": {"exclude_mountpoints": "^/"},  # how full this machine is is not the test's
        "docker": {
            "host": dockerd.host,
            "cleanable_max_bytes": "1MiB",
            "cleanup": {f"{kind}_min_age": "0s" for kind in ("containers", "images", "networks", "build_cache")},
        },
        "collectors": {
            "docker": {"interval": "2s"},
            "docker_usage": {"interval": "5s", "deadline": "30s"},
            "logs": {"interval": "2s"},
        },
        "schedule": {"jobs": []},
        "remedies": [
            remedy("rotate", "UpkeeperLogDirectoryOverLimit", "log-rotation", target_label="directory"),
            remedy("clean", "UpkeeperDockerSpaceCleanable", "docker-cleanup", target="docker"),
            remedy("restart", "UpkeeperContainerUnhealthy", "service-restart", target_label="container"),
        ],
    }
    path.write_text(yaml.safe_dump(config))


class Breaches:
    """Three breaches, and beside each what must not be touched."""

    def __init__(self, root: Path, dockerd: Dockerd) -> None:
        self.dockerd = dockerd
        self.logs = root / "logs"
        self.logs.mkdir()
        self.outside = root / "outside.log"
        self.outside.write_text("x" * LOG_LIMIT)
        (self.logs / "link.log").symlink_to(self.outside)
        (self.logs / "data.db").write_bytes(b"y" * 4096)
        (self.logs / "app.log").write_text("2026-01-01 a line like any other, and there are many\n" * 60_000)
        self.sick = dockerd.run(
            "sick",
            HEALTHY_AFTER_START,
            labels={"upkeeper.restart": "true"},
            healthcheck="test -e /healthy",
        )
        self.kept = dockerd.dangling_image(2 * 1024**2, labels={"upkeeper.keep": "true"})
        self.dangling = [dockerd.dangling_image(1024**2) for _ in range(3)]
        self.volume = dockerd.client.volumes.create("precious").name

    def untouched(self) -> bool:
        images = {image.id for image in self.dockerd.client.images.list(all=True)}
        volumes = {volume.name for volume in self.dockerd.client.volumes.list()}
        return (
            self.outside.stat().st_size == LOG_LIMIT
            and (self.logs / "link.log").is_symlink()
            and (self.logs / "data.db").stat().st_size == 4096
            and self.kept in images
            and self.volume in volumes
        )


async def test_three_breaches_go_all_the_way_round(tmp_path: Path, clean_dockerd: Dockerd) -> None:
    for variable, program, package in (
        ("UPKEEPER_PROMETHEUS", "prometheus", "prometheus"),
        ("UPKEEPER_ALERTMANAGER", "prometheus-alertmanager", "prometheus-alertmanager"),
    ):
        if variable not in os.environ:
            require_program(program, package)
    breaches = Breaches(tmp_path, clean_dockerd)
    config, state = tmp_path / "upkeeper.yml", tmp_path / "state"
    write_config(config, breaches.logs, clean_dockerd)
    base = free_port_range(4)
    api = Api(f"http://127.0.0.1:{base + 1}", state)
    with upkeeper("up", "--config", config, "--state-dir", state, "--port-base", str(base), log=tmp_path / "up.log"):
        await wait_until(api.ready, timeout=180, what="the stack to be ready")
        await wait_until(
            lambda: breaches.sick.reload() or breaches.sick.attrs["State"]["Health"]["Status"] == "healthy"
        )
        breaches.sick.exec_run(["rm", "/healthy"])

        def effective() -> dict[str, Any] | None:
            runs = {run["task"]: run for run in api.get("runs")["items"]}
            tasks = {"log-rotation", "docker-cleanup", "service-restart"}
            done = {name for name, run in runs.items() if run["outcome"] == "effective"}
            return runs if tasks <= done else None

        runs = await wait_until(effective, timeout=150, what="three effective runs")

        def resolved() -> bool:
            ours = [alert for alert in api.get("alerts")["items"] if alert["labels"]["alertname"] != "Watchdog"]
            return len(ours) >= 3 and all(alert["status"] == "resolved" for alert in ours)

        await wait_until(resolved, timeout=150, what="all three alerts to be resolved")
        await take_of_run(api, runs["log-rotation"]["id"])
        assert runs["log-rotation"]["after"]["values"]["allocated_bytes"] < LOG_LIMIT
        assert runs["docker-cleanup"]["freed_bytes"] >= 3 * 1024**2
        assert breaches.untouched()
        remaining = {image.id for image in clean_dockerd.client.images.list(all=True)}
        assert remaining.isdisjoint(breaches.dangling)
        status = command("status", "--state-dir", state, check=False)  # something else may be wrong with this machine
        breached = {"UpkeeperLogDirectoryOverLimit", "UpkeeperDockerSpaceCleanable", "UpkeeperContainerUnhealthy"}
        assert breached.isdisjoint(alert["name"] for alert in status["alerts"])
    assert breaches.untouched()
