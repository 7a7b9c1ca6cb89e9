"""The config that ships."""

import re
from pathlib import Path

import pytest

from exporter.configfile.file import load
from exporter.docker.engine import DockerEngine
from exporter.probing.conditions import judge
from remediator.config.config import Config
from remediator.config.shipped import default_remedies
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources
from upkeeper.look.check_config import MachineFacts, findings

SHIPPED = Path(__file__).parents[3] / "upkeeper.yml"

_YAML_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENTED_KEY = re.compile(r"^(\s*)# (\s*(?:(?:- )?[a-z0-9_]+:(?: .*)?|- \{.*\}))$")


async def facts(config: Config, directory: Path) -> MachineFacts:
    resources = Resources(config, docker=lambda: DockerEngine(f"unix://{directory}/no-engine.sock", 1.0))
    try:
        return MachineFacts({name: await task.targets() for name, task in build_tasks(config, resources).items()})
    finally:
        resources.close()


async def test_it_is_valid_and_its_remedies_have_tasks_and_targets(tmp_path: Path) -> None:
    loaded = load(SHIPPED, Config, env={})
    assert findings(loaded, await facts(loaded.value, tmp_path)) == []


def test_it_looks_after_the_whole_stack() -> None:
    config = load(SHIPPED, Config, env={}).value
    urls = {service.name: {probe.url for probe in service.probes} for service in config.services}
    assert set(urls) == {"letta", "open-webui", "n8n", "health-monitor", "supabase-db", "neo4j"}
    assert "http://127.0.0.1:5678/healthz/readiness" in urls["n8n"]
    assert "http://127.0.0.1:8080/health/db" in urls["open-webui"]
    assert urls["neo4j"] == {"bolt://127.0.0.1:7687", "http://127.0.0.1:7474/"}
    assert urls["supabase-db"] == {"postgres://127.0.0.1:5432"}
    assert all(service.container for service in config.services)


PAGE = b"<!doctype html><html><head><title>Open WebUI</title></head><body></body></html>"
"""What Open WebUI answers to any path that it does not know, with status 200."""

LETTA = b'{"version":"0.11.7","status":"ok"}'
NEO4J = b"""{"bolt_routing":"neo4j://127.0.0.1:7687","query":"http://127.0.0.1:7474/db/{databaseName}/query/v2",\
"neo4j_version":"5.26.19","neo4j_edition":"community"}"""


@pytest.mark.parametrize(
    ("service", "probe", "good", "bad"),
    [
        ("letta", "live", (200, LETTA), [(200, PAGE), (200, LETTA.replace(b"ok", b"error")), (502, b"")]),
        ("open-webui", "live", (200, b'{"status":true}'), [(200, PAGE), (200, b'{"status":false}')]),
        ("open-webui", "ready", (200, b'{"status":true}'), [(200, PAGE), (500, b'{"detail":"Internal Server Error"}')]),
        ("n8n", "live", (200, b'{"status":"ok"}'), [(200, PAGE), (200, b"n8n is starting up. Please wait")]),
        ("n8n", "ready", (200, b'{"status":"ok"}'), [(503, b'{"status":"error"}'), (200, PAGE)]),
        ("neo4j", "ready", (200, NEO4J), [(200, PAGE), (200, b"{}")]),
    ],
)
def test_its_probes_tell_a_good_answer_from_a_friendly_one(
    service: str, probe: str, good: tuple[int, bytes], bad: list[tuple[int, bytes]]
) -> None:
    services = {each.name: each for each in load(SHIPPED, Config, env={}).value.services}
    [chosen] = [each for each in services[service].probes if each.name == probe]
    assert all(finding.met for finding in judge(chosen, *good))
    for answer in bad:
        assert not all(finding.met for finding in judge(chosen, *answer)), answer


def test_letta_open_webui_and_n8n_have_more_than_their_status_looked_at() -> None:
    services = {each.name: each for each in load(SHIPPED, Config, env={}).value.services}
    for name in ("letta", "open-webui", "n8n"):
        assert all(probe.body_json for probe in services[name].probes), name
    for name in ("open-webui", "n8n"):
        assert {probe.name for probe in services[name].probes} == {"live", "ready"}


async def test_what_is_commented_out_is_valid_too(tmp_path: Path) -> None:
    lines = [_COMMENTED_KEY.sub(r"\1\2", line) for line in SHIPPED.read_text().splitlines()]
    file = tmp_path / "upkeeper.yml"
    file.write_text("\n".join(lines) + "\n")
    loaded = load(file, Config, env={})
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
    assert any(probe.url.startswith("https://") for service in config.services for probe in service.probes)
    assert findings(loaded, await facts(config, tmp_path)) == []


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/remedies.md"])
def test_remedies_that_the_pages_show_have_no_findings(tmp_path: Path, page: str) -> None:
    shown = [block for block in _YAML_BLOCK.findall((SHIPPED.parent / page).read_text()) if "remedies:" in block]
    assert shown
    for text in shown:
        file = tmp_path / "upkeeper.yml"
        file.write_text(text)
        known = MachineFacts({"log-rotation": ["app", "pa"], "docker-cleanup": ["docker"], "service-restart": []})
        assert findings(load(file, Config, env={}), known) == []


@pytest.mark.parametrize("remedies", ["shipped", "default"])
def test_nothing_that_removes_or_interrupts_runs_by_itself(remedies: str) -> None:
    chosen = load(SHIPPED, Config, env={}).value.remedies if remedies == "shipped" else default_remedies()
    assert chosen
    assert {remedy.task for remedy in chosen if remedy.autonomy == "auto"} == {"log-rotation"}
