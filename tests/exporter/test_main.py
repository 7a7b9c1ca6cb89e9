"""The exporter as a process: start, reload, end, and what it imports."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.base.server import CannotListen
from exporter.collectors.registry import build
from exporter.inventory.inventory import Inventory
from exporter.main import Exporter, serve
from tests.exporter.process import ExporterProcess
from tests.helpers import wait_until
from tests.ports import free_port

pytestmark = pytest.mark.slow

NO_DOCKER = "collectors: {docker: {enabled: false}, docker_usage: {enabled: false}}\n"
QUICK = """
collectors:
  docker: {enabled: false}
  docker_usage: {enabled: false}
  logs: {interval: 50ms}
"""


def log_directory(path: Path, limit: str = "1MiB", name: str = "app") -> str:
    return f"logs: [{{name: {name}, path: {path}, max_bytes: {limit}}}]\n"


async def test_it_serves_without_any_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    exporter = Exporter(None, None)
    try:
        await exporter.reload()
        await wait_until(lambda: exporter.snapshot.ready)
        assert [section.collector.name for section in exporter.snapshot.sections] == [
            "services",
            "filesystem",
            "logs",
            "docker",
            "docker_usage",
            "host",
            "updates",
            "systemd",
            "findings",
        ]
        assert all(section.success for section in exporter.snapshot.sections)
        assert exporter.health() == (200, {"status": "ok", "probes": []})
    finally:
        await exporter.close()


def test_collectors_can_be_switched_off() -> None:
    names = ("services", "filesystem", "logs", "docker", "docker_usage", "host", "updates", "systemd", "findings")
    off = {name: {"enabled": False} for name in names}
    assert build(Inventory.model_validate({"collectors": off})).collectors == []
    for name in names:
        alone = {other: settings for other, settings in off.items() if other != name}
        running = build(Inventory.model_validate({"collectors": alone}))
        assert [collector.name for collector in running.collectors] == [name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_order_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    async with ExporterProcess(tmp_path, NO_DOCKER) as exporter:
        assert exporter.end(number) == 0
        assert exporter.lines()[-1]["message"] == "exporter stopped"
        assert all(line["level"] == "info" for line in exporter.lines())


async def test_a_changed_config_is_put_in_force_and_a_bad_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    limit = 'upkeeper_log_max_bytes{directory="app"}'
    successful = "upkeeper_config_last_reload_successful"
    async with ExporterProcess(tmp_path, QUICK + log_directory(tmp_path / "app")) as exporter:
        await wait_until(lambda: exporter.metrics().get(limit), equals=1024**2)
        exporter.config.write_text(QUICK + log_directory(tmp_path / "app", "2MiB"))
        await wait_until(lambda: exporter.metrics().get(limit), equals=2 * 1024**2)
        exporter.config.write_text(QUICK + log_directory(tmp_path / "app", "much"))
        await wait_until(lambda: exporter.metrics()[successful], equals=0)
        assert exporter.metrics()[limit] == 2 * 1024**2
        errors = [line for line in exporter.lines() if line["level"] == "error"]
        assert len(errors) == 1
        assert f"{exporter.config}:6: logs[0].max_bytes" in errors[0]["error"]
        exporter.config.write_text(QUICK + log_directory(tmp_path / "app", "3MiB"))
        await wait_until(lambda: exporter.metrics().get(limit), equals=3 * 1024**2)
        assert exporter.metrics()[successful] == 1


async def test_sighup_reads_the_config_again(tmp_path: Path) -> None:
    stamp = "upkeeper_config_last_reload_success_timestamp_seconds"
    async with ExporterProcess(tmp_path, NO_DOCKER) as exporter:
        before = exporter.metrics()[stamp]
        exporter.hangup()
        await wait_until(lambda: exporter.metrics()[stamp] > before)


async def test_sections_of_the_remediator_are_known_and_others_are_not(tmp_path: Path) -> None:
    async with ExporterProcess(tmp_path, NO_DOCKER + "remedies: []\nnotify: {}\n") as exporter:
        exporter.config.write_text(NO_DOCKER + "servcies: []\n")
        await wait_until(lambda: exporter.metrics()["upkeeper_config_last_reload_successful"], equals=0)


async def test_the_drill_directory_is_measured_once_it_is_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    series = 'upkeeper_log_allocated_bytes{directory="upkeeper-drill"}'
    async with ExporterProcess(tmp_path, QUICK, state) as exporter:
        await wait_until(lambda: exporter.get("/-/ready")[0], equals=200)
        assert not [name for name in exporter.metrics() if "upkeeper-drill" in name]
        (state / "drill").mkdir(parents=True)
        (state / "drill" / "a.log").write_bytes(b"x" * 100_000)
        await wait_until(lambda: exporter.metrics().get(series, 0) >= 100_000)


async def test_health_follows_the_probes(tmp_path: Path) -> None:
    port = free_port()
    config = f"services: [{{name: web, probes: [{{url: 'tcp://127.0.0.1:{port}'}}]}}]\n" + NO_DOCKER
    async with ExporterProcess(tmp_path, config) as exporter:
        await wait_until(lambda: json.loads(exporter.get("/health")[1])["status"], equals="failing")
        assert exporter.get("/health")[0] == 503


async def test_health_is_not_stale_between_rounds_that_are_far_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "upkeeper.yml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config.write_text(
            f"services: [{{name: web, probes: [{{url: 'tcp://127.0.0.1:{port}'}}]}}]\n"
            "collectors: {services: {interval: 1h}, docker: {enabled: false}, docker_usage: {enabled: false}}\n"
        )
        exporter = Exporter(config, None)
        try:
            await exporter.reload()
            await wait_until(lambda: exporter.health()[0], equals=200)
            start = time.time()
            for age, status in ((301, "ok"), (3599, "ok"), (7300, "stale")):
                monkeypatch.setattr("time.time", lambda age=age: start + age)
                assert exporter.health()[1]["status"] == status
        finally:
            monkeypatch.undo()
            await exporter.close()


async def test_a_port_in_use_is_one_clear_error(tmp_path: Path) -> None:
    async with ExporterProcess(tmp_path, NO_DOCKER) as exporter:
        with pytest.raises(CannotListen, match=f"port {exporter.port} is in use"):
            await serve(exporter.config, f"127.0.0.1:{exporter.port}", None)


_IMPORTS = """
import asyncio, sys
from pathlib import Path
from exporter.main import Exporter

async def run():
    exporter = Exporter(Path(sys.argv[1]), None)
    await exporter.reload()
    while not exporter.snapshot.ready:
        await asyncio.sleep(0.01)
    await exporter.close()

asyncio.run(run())
print(" ".join(name for name in ("docker", "requests", "httpx", "httpcore", "neo4j", "psycopg") if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("config", "imported"),
    [
        ("collectors: {services: {enabled: false}, docker: {enabled: false}, docker_usage: {enabled: false}}", set()),
        (NO_DOCKER + "services: [{name: web, probes: [{url: 'tcp://127.0.0.1:1'}]}]", set()),
        (NO_DOCKER + "services: [{name: web, probes: [{url: 'http://127.0.0.1:1'}]}]", {"httpx", "httpcore"}),
        (
            "collectors: {docker_usage: {enabled: false}}\ndocker: {host: 'tcp://127.0.0.1:1'}",
            {"docker", "requests"},
        ),
        ("docker: {host: 'unix:///nowhere.sock'}", set()),
    ],
)
def test_a_client_library_is_imported_only_when_its_collector_needs_it(
    tmp_path: Path, config: str, imported: set[str]
) -> None:
    (tmp_path / "upkeeper.yml").write_text(config)
    command = [sys.executable, "-c", _IMPORTS, str(tmp_path / "upkeeper.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert set(done.stdout.splitlines()[-1].split()) == imported
