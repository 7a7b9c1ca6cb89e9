"""The Grafana dashboards: well-formed, on metrics and labels that exist, and just what their definitions make."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.dashboards.scope import Variable, scoped
from tests.grafana.dashboards import (
    DASHBOARDS,
    SCRAPED,
    choices,
    expressions,
    grouped,
    label_values,
    load,
    metric_labels,
    selectors,
    targets,
)
from tests.metric_names import METRICS
from upkeeper.share import share_path

ROOT = Path(__file__).resolve().parents[2]
each = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def queries(dashboard: Any) -> list[str]:
    """Those of the panels and annotations, and those of the variables."""
    return expressions(dashboard) + [label_values(choice)[0] for choice in choices(dashboard)]


def test_there_is_one_for_each_kind() -> None:
    kinds = ("backups", "configuration", "containers", "databases", "host", "overview", "remediation", "services")
    assert [path.stem for path in DASHBOARDS] == [f"upkeeper-{kind}" for kind in kinds]


@each
def test_it_reads_metrics_that_exist(path: Path) -> None:
    used = {name for text in queries(load(path)) for name in re.findall(r"\bupkeeper_\w+", text)}
    assert used
    assert used <= METRICS


@each
def test_it_names_labels_that_these_metrics_have(path: Path) -> None:
    labels, dashboard = metric_labels(), load(path)
    for text in queries(dashboard):
        known = set(SCRAPED)
        for selector in selectors(text):
            assert selector.labels() <= labels[selector.metric] | SCRAPED, text
            known |= labels[selector.metric]
        assert grouped(text) <= known, text
    for choice in choices(dashboard):
        series, label = label_values(choice)
        assert label in labels[selectors(series)[0].metric] | SCRAPED
        assert choice["query"]["query"] == choice["definition"]


@each
def test_every_metric_of_an_exporter_follows_the_choice_of_the_exporter(path: Path) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    collectors = page.partition("## Exporter")[2].partition("### Of the exporter itself")[0]
    measured = set(re.findall(r"^\| `(upkeeper_\w+)`", collectors, re.MULTILINE))
    assert measured
    for text in expressions(load(path)):
        for selector in selectors(text):
            # Matched to another one by instance, a metric need not say it itself.
            assert selector.metric not in measured or "$instance" in selector.matchers or "on (instance" in text, text


@each
def test_it_uses_every_variable_and_no_other(path: Path) -> None:
    dashboard = load(path)
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps([dashboard["panels"], [choice["definition"] for choice in choices(dashboard)]])
    used = {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}
    assert used == names


@each
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
        for target in targets(panel):
            assert target["datasource"]["uid"] == "${datasource}"
        refs = [target["refId"] for target in targets(panel)]
        assert len(set(refs)) == len(refs)
        overrides = panel.get("fieldConfig", {}).get("overrides", ())
        matched = [rule["matcher"]["options"] for rule in overrides if rule["matcher"]["id"] == "byFrameRefID"]
        assert set(matched) <= set(refs)


@each
def test_it_leads_to_the_others(path: Path) -> None:
    dashboard = load(path)
    (link,) = dashboard["links"]
    assert link["type"] == "dashboards"
    assert set(link["tags"]) <= set(dashboard["tags"])
    urls = [link["url"] for panel in dashboard["panels"] for link in panel.get("links", ())]
    assert bool(urls) == (path.stem == "upkeeper-overview")
    for url in urls:
        found = re.match(r"/d/([\w-]+)\?", url)
        assert found
        assert found[1] in {other.stem for other in DASHBOARDS}


def test_the_provisioning_files_are_yaml_of_version_1() -> None:
    files = sorted((share_path() / "grafana" / "provisioning").rglob("*.yml"))
    assert [yaml.safe_load(file.read_bytes())["apiVersion"] for file in files] == [1, 1]


def generate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "scripts.dashboards", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_they_are_what_their_definitions_make() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_one_that_is_missing_or_was_edited_is_reported_and_then_mended(tmp_path: Path) -> None:
    assert generate("--directory", str(tmp_path)).returncode == 0
    edited, removed = tmp_path / "upkeeper-host.json", tmp_path / "upkeeper-services.json"
    written = edited.read_text()
    edited.write_text(written.replace("Load", "Burden"))
    removed.unlink()
    done = generate("--check", "--directory", str(tmp_path))
    assert done.returncode == 1
    assert sorted(done.stderr.splitlines()) == sorted(
        [f"{edited} is out of date", f"{removed} is out of date", "run: make docs"]
    )
    assert generate("--directory", str(tmp_path)).returncode == 0
    assert edited.read_text() == written
    assert removed.exists()


VARIABLES = (
    Variable("instance", "Exporter", "upkeeper_build_info", "instance", several=False),
    Variable("box", "Container", "upkeeper_container_restarts", "container"),
    Variable("base", "Server", "upkeeper_postgres_up", "server", of="upkeeper_postgres_"),
)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("upkeeper_docker_up == 0", 'upkeeper_docker_up{instance="$instance"} == 0'),
        (
            'sum(upkeeper_container_state{upkeeper_container_state="dead"})',
            'sum(upkeeper_container_state{instance="$instance", container=~"$box", upkeeper_container_state="dead"})',
        ),
        (
            "upkeeper_postgres_up or upkeeper_neo4j_up",
            'upkeeper_postgres_up{instance="$instance", server=~"$base"} or upkeeper_neo4j_up{instance="$instance"}',
        ),
        ("rate(upkeeper_web_denied_total[1m])", "rate(upkeeper_web_denied_total[1m])"),
    ],
)
def test_a_query_follows_the_choices_for_which_its_metrics_have_the_label(written: str, made: str) -> None:
    assert scoped(written, VARIABLES, ("upkeeper_web_",)) == made


def test_a_metric_that_there_is_not_cannot_be_written() -> None:
    with pytest.raises(KeyError, match="upkeeper_docker_down"):
        scoped("upkeeper_docker_down == 0", VARIABLES)
