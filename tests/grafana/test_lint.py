"""The rules of grafana/dashboard-linter: by its own program, where there is one, with the exclusions of lint.yml; and
everywhere those of its documented rules that hold here, as checks of our own.

It is no Go module that can be installed (one of its dependencies is not to be had): build it of its repository without
lint/v2.go, which is for another schema, and name it in UPKEEPER_DASHBOARD_LINTER.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.grafana.dashboards import DASHBOARDS, load, targets

EXCLUSIONS = Path(__file__).parent / "lint.yml"
LINTER = os.environ.get("UPKEEPER_DASHBOARD_LINTER") or shutil.which("dashboard-linter")
GROUPED = ("row", "text", "dashlist", "alertlist")
"""Kinds of panels that ask nothing."""
OVER_TIME = re.compile(r"\b(?:rate|irate|increase)\s*\(\s*upkeeper_\w+_total\b")
each = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


@pytest.mark.skipif(LINTER is None, reason="no dashboard-linter: UPKEEPER_DASHBOARD_LINTER names none")
@each
def test_the_linter_has_nothing_to_say(path: Path) -> None:
    assert LINTER is not None
    command = [LINTER, "lint", "--strict", "--config", str(EXCLUSIONS), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_exclusion_has_its_reason() -> None:
    found = yaml.safe_load(EXCLUSIONS.read_bytes())["exclusions"]
    assert all(len(one["reason"]) > 20 for one in found.values())
    assert found["target-rate-interval-rule"]["entries"], "of that rule only single panels are excluded"


def panels(dashboard: Any) -> list[Any]:
    return [panel for panel in dashboard["panels"] if panel["type"] not in GROUPED]


@each
def test_each_panel_says_what_it_shows_and_in_which_unit(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["editable"] is False, "what is edited in Grafana is lost with the next release"
    [source] = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
    assert (source["name"], source["query"]) == ("datasource", "prometheus")
    for panel in panels(dashboard):
        assert panel["title"], panel["id"]
        assert targets(panel), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] in ("stat", "timeseries", "gauge", "bargauge"):
            assert defaults.get("unit") or defaults.get("mappings"), f"{panel['title']} has no unit"
    for choice in dashboard["templating"]["list"]:
        assert choice["type"] != "query" or choice["refresh"] == 2, f"{choice['name']} is not asked again"


@each
def test_a_counter_is_never_drawn_as_it_is(path: Path) -> None:
    """In a table of what is now it may stand, as what was counted so far."""
    for panel in panels(load(path)):
        for text in [target["expr"] for target in targets(panel) if panel["type"] != "table"]:
            assert len(re.findall(r"\bupkeeper_\w+_total\b", text)) == len(OVER_TIME.findall(text)), text
