"""Queries of gates: by promtool, by a real Prometheus, and by neither."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from exporter.configfile.file import load
from remediator.config.config import Config
from tests.servers import prometheus
from tests.upkeeper.look.checked import FACTS
from upkeeper.look.check_config import findings
from upkeeper.look.check_gates import complaints

GATES = """\
guards:
  gate: 'up{job="node"} >'
remedies:
  - name: rotate
    match: ['alertname="UpkeeperX"']
    task: log-rotation
    target: app
    gate: ["sum(up) > 0", "sum(up"]
"""
UNKNOWN = "http://127.0.0.1:9"


def config(tmp_path: Path, text: str = GATES, **more: object) -> Path:
    file = tmp_path / "upkeeper.yml"
    file.write_text(text + (yaml.safe_dump(more) if more else ""))
    return file


@pytest.mark.servers
async def test_promtool_says_which_is_none(tmp_path: Path) -> None:
    loaded = load(config(tmp_path), Config)
    wrong, unknown = await complaints(loaded.value, tmp_path)
    assert (set(wrong), unknown) == ({'up{job="node"} >', "sum(up"}, "")
    problems = findings(loaded, replace(FACTS, gates=wrong))
    assert [(problem.severity, problem.key, problem.line) for problem in problems] == [
        ("warning", "guards.gate", 2),
        ("warning", "remedies[0].gate", 8),
    ]
    assert problems[1].message.startswith("'sum(up' is no PromQL, so this gate never opens: ")
    assert problems[1].message.endswith("unclosed left parenthesis")


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[str]:
    async with prometheus(tmp_path / "prometheus", {}) as server:
        yield server.url


@pytest.mark.servers
async def test_without_promtool_prometheus_is_asked(tmp_path: Path, asked: str) -> None:
    loaded = load(config(tmp_path, prometheus={"url": asked}), Config)
    wrong, unknown = await complaints(loaded.value, tmp_path, lambda _: None)
    assert unknown == ""
    assert {query: "parse error" in said for query, said in wrong.items()} == {'up{job="node"} >': True, "sum(up": True}


async def test_with_neither_it_says_so(tmp_path: Path) -> None:
    loaded = load(config(tmp_path, prometheus={"url": UNKNOWN}), Config)
    wrong, unknown = await complaints(loaded.value, tmp_path, lambda _: None)
    assert wrong == {}
    assert unknown.startswith(f"promtool is not installed, and cannot reach Prometheus at {UNKNOWN}")
    problems = findings(loaded, replace(FACTS, gates_unknown=unknown))
    assert [problem.severity for problem in problems] == ["warning"] * 3
    assert problems[0].message.startswith("whether 'up{job=\"node\"} >' is PromQL could not be looked at: promtool")


async def test_a_config_without_gates_asks_nobody(tmp_path: Path) -> None:
    loaded = load(config(tmp_path, "remedies: []\n", prometheus={"url": UNKNOWN}), Config)
    assert await complaints(loaded.value, tmp_path, lambda _: None) == ({}, "")
