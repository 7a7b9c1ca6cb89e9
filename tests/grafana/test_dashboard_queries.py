"""A real Prometheus answers every query of the Grafana dashboards, from the recorded exposition."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from aiohttp import web

from scripts.dashboards.boards.containers import STATES
from scripts.dashboards.panels import coded
from tests import servers
from tests.grafana.dashboards import (
    DASHBOARDS,
    GOLDEN,
    choices,
    expressions,
    label_values,
    load,
    recorded_metrics,
    selectors,
    targets,
)
from tests.grafana.remediator import exported, exposition
from tests.helpers import wait_until
from tests.ports import free_port
from upkeeper.share import share_path

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

RECORDED = recorded_metrics() | exported()
JOB = "upkeeper-exporter"
SCRAPED_OF_EACH = ("upkeeper_docker_up", "upkeeper_queue_depth")
QUIET = {
    'topk(10, increase(upkeeper_container_restarts{instance=~"$instance"}[1h]) > 0)',
    "sum by (reason) (increase(upkeeper_webhook_rejected_total[$__rate_interval])) > 0",
}
"""Queries for what happened: nothing does in samples that never change."""


@dataclass(frozen=True)
class Source:
    """A Prometheus with the recorded samples, asked as Grafana asks it: with the variables replaced."""

    client: httpx.AsyncClient
    url: str
    instance: str

    def replaced(self, text: str) -> str:
        """A query with everything chosen; $__range and $__rate_interval as for a short time."""
        text = text.replace("$instance", self.instance)
        text = re.sub(r"\$__(range|rate_interval)\b", "1m", text)
        return re.sub(r"\$\w+", ".*", text)

    async def ask(self, text: str) -> list[dict[str, str]]:
        """The labels of each series that a query gives; AssertionError with what Prometheus says against it."""
        answer = await self.client.get(f"{self.url}/api/v1/query", params={"query": self.replaced(text)})
        assert answer.status_code == 200, f"{text}: {answer.text}"
        return [series["metric"] for series in answer.json()["data"]["result"]]

    async def numbers(self, text: str, label: str) -> dict[str, float]:
        """The value of each series, by one of its labels."""
        answer = await self.client.get(f"{self.url}/api/v1/query", params={"query": self.replaced(text)})
        return {series["metric"][label]: float(series["value"][1]) for series in answer.json()["data"]["result"]}

    async def values(self, series: str, label: str) -> list[str]:
        """What a variable offers."""
        answer = await self.client.get(
            f"{self.url}/api/v1/label/{label}/values", params={"match[]": self.replaced(series)}
        )
        assert answer.status_code == 200, f"{series}: {answer.text}"
        values: list[str] = answer.json()["data"]
        return values


def recorded() -> list[dict[str, Any]]:
    """What the rules that ship record, at a pace and from a past that fit this Prometheus."""
    found = []
    for path in (Path(share_path()) / "prometheus" / "rules").glob("*.yml"):
        for group in yaml.load(path.read_bytes(), yaml.CSafeLoader)["groups"]:
            rules = [rule | {"expr": short(rule["expr"])} for rule in group["rules"] if "record" in rule]
            found += [{"name": group["name"], "interval": "500ms", "rules": rules}] if rules else []
    return found


def short(text: str) -> str:
    """A subquery evaluates at full hours, at which there was nothing yet."""
    return text.replace("[14d:1h]", "[1m:1s]")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def source(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Source]:
    """A Prometheus that has scraped the recorded samples from a server of files."""
    directory = tmp_path_factory.mktemp("prometheus")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=GOLDEN.read_bytes(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()

    async def remediator(_: web.Request) -> web.Response:
        return web.Response(body=exposition().encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/remediator", remediator)
    runner = web.AppRunner(app)
    await runner.setup()
    instance = f"127.0.0.1:{free_port()}"
    host, _, port = instance.partition(":")
    try:
        await web.TCPSite(runner, host, int(port)).start()
        job = {"job_name": JOB, "scrape_interval": "500ms", "static_configs": [{"targets": [instance]}]}
        other = {**job, "job_name": "upkeeper-remediator", "metrics_path": "/remediator"}
        (directory / "recorded.yml").write_text(yaml.safe_dump({"groups": recorded()}))
        config = {"global": {"scrape_timeout": "500ms"}, "scrape_configs": [job, other], "rule_files": ["recorded.yml"]}
        async with servers.prometheus(directory, config) as server, httpx.AsyncClient(verify=False) as client:
            source = Source(client, server.url, instance)

            async def scraped_twice() -> bool:
                """What a rate needs."""
                names = [*SCRAPED_OF_EACH, *(rule["record"] for group in recorded() for rule in group["rules"])]
                each = [await source.ask(f"count_over_time({name}[1m]) >= 2") for name in names]
                return all(map(bool, each))

            await wait_until(scraped_twice, what="two scrapes")
            yield source
    finally:
        await runner.cleanup()


async def faults(source: Source, panel: Any) -> list[str]:
    """What is wrong with the queries of a panel.

    Where the samples of a query are recorded: each of its metrics must be found with its matchers, so that a misspelt
    value is noticed in a query that gives 0 for nothing; the query must give something; and with the labels that its
    legend, or the columns of its table, name.
    """
    found: list[str] = []
    columns: set[str] = set()
    asked = [target for target in targets(panel) if known(target["expr"])]
    for target in asked:
        text = target["expr"]
        written = [selector.written + selector.matchers for selector in selectors(text)]
        found += [f"nothing is selected by {each}" for each in written if not await source.ask(each)]
        series = await source.ask(text)
        if not series:
            found += [] if text in QUIET else [f"no data for {text}"]
            continue
        wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        found += [f"no label {label} from {text}" for label in sorted(wanted - set().union(*series))]
        columns |= set().union(*series)
        columns.add(f"Value #{target['refId']}" if len(targets(panel)) > 1 else "Value")
    if len(asked) == len(targets(panel)):
        for change in panel.get("transformations", ()):
            missing = set(change["options"].get("renameByName", ())) - columns
            found += [f"no column {name}" for name in sorted(missing)]
    return found


def known(text: str) -> bool:
    """Whether all that a query reads is recorded, as every metric of a collector is (tests/golden/test_golden.py)."""
    names = {selector.metric for selector in selectors(text)}
    return bool(names) and names <= RECORDED


async def test_prometheus_understands_every_query_and_finds_what_is_recorded(source: Source) -> None:
    wrong: list[str] = []
    for path in DASHBOARDS:
        dashboard = load(path)
        for text in expressions(dashboard):
            await source.ask(text)
        for panel in dashboard["panels"]:
            wrong += [f"{path.stem}, {panel['title']}: {fault}" for fault in await faults(source, panel)]
        for choice in choices(dashboard):
            series, label = label_values(choice)
            if known(series) and not await source.values(series, label):
                wrong.append(f"{path.stem}: nothing to choose from {choice['definition']}")
    assert wrong == []


async def test_a_state_set_becomes_the_number_whose_text_is_the_state(source: Source) -> None:
    query, texts = coded("upkeeper_container_state", STATES, "container")
    numbers = await source.numbers(query, "container")
    assert {container: texts[number][0] for container, number in numbers.items()} == {
        "letta": "running",
        "n8n": "exited",
    }


async def test_what_is_wrong_is_noticed(source: Source) -> None:
    def panel(expr: str, legend: str = "", **more: Any) -> Any:
        return {"targets": [{"expr": expr, "legendFormat": legend, "refId": "A"}], **more}

    state = "upkeeper_container_state"
    zero = f'sum({state}{{{state}="runing"}}) or vector(0)'
    legend = panel("max by (container) (upkeeper_container_restarts)", "{{container}} {{image}}")
    columns = {"renameByName": {"container": "", "image": "", "Value": ""}}
    table = panel(legend["targets"][0]["expr"], transformations=[{"options": columns}])
    assert await faults(source, panel("sum(upkeeper_container_restarts)")) == []
    assert await faults(source, panel(zero)) == [f'nothing is selected by {state}{{{state}="runing"}}']
    assert await faults(source, panel("upkeeper_docker_up == 2")) == ["no data for upkeeper_docker_up == 2"]
    assert await faults(source, legend) == [f"no label image from {legend['targets'][0]['expr']}"]
    assert await faults(source, table) == ["no column image"]
    with pytest.raises(AssertionError, match="parse error"):
        await source.ask("sum(upkeeper_docker_up")
