"""The Grafana dashboards: well-formed, on metrics that exist, and with queries that Prometheus understands."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from remediator.share import share_path
from tests import servers
from tests.metric_names import METRICS

DASHBOARDS = sorted((share_path() / "grafana" / "dashboards").glob("*.json"))
VARIABLES = {"$instance": ".*", "$__rate_interval": "1m"}


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def expressions(dashboard: Any) -> list[str]:
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return panels + [annotation["expr"] for annotation in dashboard["annotations"]["list"]]


def test_there_are_some() -> None:
    assert DASHBOARDS


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_it_reads_metrics_that_exist(path: Path) -> None:
    dashboard = load(path)
    used = {name for text in expressions(dashboard) for name in re.findall(r"\bupkeeper_\w+", text)}
    used |= set(re.findall(r"\bupkeeper_\w+", json.dumps(dashboard["templating"])))
    assert used
    assert used <= METRICS


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_its_panels_have_their_own_id_and_place(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["uid"] == path.stem
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"


@pytest.mark.servers
async def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    async with servers.prometheus(tmp_path, {"global": {}}) as server, httpx.AsyncClient() as client:
        for path in DASHBOARDS:
            for text in expressions(load(path)):
                for variable, value in VARIABLES.items():
                    text = text.replace(variable, value)
                answer = await client.get(f"{server.url}/api/v1/query", params={"query": text})
                assert answer.status_code == 200, f"{text}: {answer.text}"


def test_the_provisioning_files_are_yaml_of_version_1() -> None:
    files = sorted((share_path() / "grafana" / "provisioning").rglob("*.yml"))
    assert [yaml.safe_load(file.read_bytes())["apiVersion"] for file in files] == [1, 1]
