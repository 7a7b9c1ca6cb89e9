"""Whom an alert reaches, by a config of Alertmanager: as `amtool config routes test` says it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.monitoring.routing import reached, receivers
from tests.servers import tool

DOCUMENT: dict[str, Any] = {
    "route": {
        "receiver": "all",
        "routes": [
            {"receiver": "remediator", "match": {"alertname": "Watchdog"}},
            {"receiver": "remediator", "continue": True, "matchers": ['severity=~"critical|warning"']},
            {
                "receiver": "team",
                "match_re": {"service": "n8n|letta"},
                "routes": [{"matchers": ["severity=critical", "x!=y"], "receiver": "pager"}, {"match": {"a": "b"}}],
            },
            {"matchers": ['target="none"', "severity!=info"], "receiver": "none"},
        ],
    },
    "receivers": [
        {"name": "all", "email_configs": [{"to": "a@example.org", "from": "b@example.org", "smarthost": "h:25"}]},
        {"name": "remediator", "webhook_configs": [{"url": "http://127.0.0.1:10747/api/v1/alertmanager"}]},
        {"name": "team", "webhook_configs": [{"url": "http://127.0.0.1:10748/api/v1/alertmanager"}]},
        {"name": "pager"},
        {"name": "none"},
    ],
}
ALERTS = (
    {"alertname": "Watchdog"},
    {"alertname": "X"},
    {"alertname": "X", "severity": "warning"},
    {"alertname": "X", "severity": "critical", "service": "n8n"},
    {"alertname": "X", "severity": "critical", "service": "n8n", "x": "y", "a": "b"},
    {"alertname": "X", "severity": "info", "service": "letta-2"},
    {"alertname": "X", "severity": "info", "target": "none"},
    {"alertname": "X", "target": "none"},
)


@pytest.mark.servers
def test_as_amtool_says(tmp_path: Path) -> None:
    (tmp_path / "am.yml").write_text(yaml.safe_dump(DOCUMENT))
    amtool = tool("amtool", "prometheus-alertmanager")
    for labels in ALERTS:
        pairs = [f"{name}={value}" for name, value in labels.items()]
        told = subprocess.run(
            [amtool, "config", "routes", "test", f"--config.file={tmp_path}/am.yml", *pairs],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        assert list(reached(DOCUMENT, labels)) == list(dict.fromkeys(told.split(",")))


def test_ours_is_known_by_path_and_port_or_where_the_url_is_hidden_by_its_name() -> None:
    known = receivers(DOCUMENT, 10747)
    assert {name for name, one in known.items() if one.ours} == {"remediator"}
    assert known["all"].ways == ["email"]
    assert known["team"].ways == ["webhook"]
    hidden = {"receivers": [{"name": name, "webhook_configs": [{"url": "<secret>"}]} for name in ("remediator", "x")]}
    assert [one.ours for one in receivers(hidden, 1).values()] == [True, False]
