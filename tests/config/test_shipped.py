"""The config that ships."""

import re
from pathlib import Path

import pytest

from exporter.configfile import load
from exporter.dockerapi import DockerEngine
from remediator.config import Config
from remediator.configcheck import Facts, findings
from remediator.settings import default_remedies
from remediator.tasks.registry import build_tasks

SHIPPED = Path(__file__).parents[2] / "upkeeper.yml"

_COMMENTED_KEY = re.compile(r"^(\s*)# (\s*(?:- )?[a-z0-9_]+:(?: .*)?)$")


async def facts(config: Config, directory: Path) -> Facts:
    engine = DockerEngine(f"unix://{directory}/no-engine.sock", 1.0)
    try:
        return Facts({name: await task.targets() for name, task in build_tasks(config, engine).items()})
    finally:
        engine.close()


async def test_it_is_valid_and_its_remedies_have_tasks_and_targets(tmp_path: Path) -> None:
    loaded = load(SHIPPED, Config, env={})
    assert findings(loaded, await facts(loaded.value, tmp_path)) == []


def test_it_looks_after_the_whole_stack() -> None:
    config = load(SHIPPED, Config, env={}).value
    urls = {service.name: {probe.url for probe in service.probes} for service in config.services}
    assert set(urls) == {"letta", "open-webui", "n8n", "health-monitor", "supabase-db", "neo4j"}
    assert "http://127.0.0.1:5678/healthz/readiness" in urls["n8n"]
    assert "http://127.0.0.1:8080/health/db" in urls["open-webui"]
    assert urls["neo4j"] == {"tcp://127.0.0.1:7687", "http://127.0.0.1:7474/"}
    assert all(service.container for service in config.services)


async def test_what_is_commented_out_is_valid_too(tmp_path: Path) -> None:
    lines = [_COMMENTED_KEY.sub(r"\1\2", line) for line in SHIPPED.read_text().splitlines()]
    file = tmp_path / "upkeeper.yml"
    file.write_text("\n".join(lines) + "\n")
    loaded = load(file, Config, env={"LETTA_SERVER_PASSWORD": "x"})
    config = loaded.value
    assert config.notify.email is not None
    assert config.notify.slack is not None
    assert [server.name for server in config.neo4j] == ["neo4j"]
    assert config.prometheus is not None
    assert config.alertmanager is not None
    assert config.filesystems.limits
    pa, offsite = config.backups
    assert (pa.complete_marker, pa.max_verify_age, pa.max_restore_test_age) == ("done", 8 * 86400, 400 * 86400)
    assert offsite.restic is not None
    assert "ready" in {probe.name for probe in config.services[0].probes}
    assert findings(loaded, await facts(config, tmp_path)) == []


@pytest.mark.parametrize("remedies", ["shipped", "default"])
def test_nothing_that_removes_or_interrupts_runs_by_itself(remedies: str) -> None:
    chosen = load(SHIPPED, Config, env={}).value.remedies if remedies == "shipped" else default_remedies()
    assert chosen
    assert {remedy.task for remedy in chosen if remedy.autonomy == "auto"} == {"log-rotation"}
