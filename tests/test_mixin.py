"""mixin/mixin.libsonnet gives exactly the rules and dashboards that ship."""

import json
from pathlib import Path
from typing import Any

import yaml

from remediator.share import share_path
from tests.helpers import missing

MIXIN = Path(__file__).parents[1] / "mixin" / "mixin.libsonnet"


def evaluated(what: str, config: str = "{}") -> Any:
    """A part of the mixin, as jsonnet makes it. config: what a user adds to ``_config``."""
    try:
        import _jsonnet
    except ImportError:
        missing("the package jsonnet is not installed")
    code = f"((import '{MIXIN}') + {{ _config+:: {config} }}).{what}"
    return json.loads(_jsonnet.evaluate_snippet("test", code))


def groups() -> list[Any]:
    files = sorted((share_path() / "prometheus" / "rules").glob("*.yml"))
    return [group for file in files for group in yaml.load(file.read_bytes(), yaml.CSafeLoader)["groups"]]


def test_it_has_the_rules_and_dashboards_that_ship() -> None:
    assert evaluated("prometheusAlerts")["groups"] == groups()
    boards = (share_path() / "grafana" / "dashboards").glob("*.json")
    assert evaluated("grafanaDashboards") == {path.name: json.loads(path.read_text()) for path in boards}


def test_what_a_user_sets_is_added() -> None:
    config = "{ runbooks: 'https://wiki/runbooks', alertLabels: { team: 'home' }, dashboardTags: ['ours'] }"
    for made, shipped in zip(evaluated("prometheusAlerts", config)["groups"], groups(), strict=True):
        for rule, own in zip(made["rules"], shipped["rules"], strict=True):
            if "record" in own:
                assert rule == own
                continue
            assert rule["labels"] == own["labels"] | {"team": "home"}
            assert rule["annotations"]["runbook_url"] == f"https://wiki/runbooks/{rule['alert']}.md"
    assert all(board["tags"] == ["upkeeper", "ours"] for board in evaluated("grafanaDashboards", config).values())
