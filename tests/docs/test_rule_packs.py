"""docs/how-to/rule-packs.md: each row of its tables, sent by a real Alertmanager, selects what the row says."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from exporter.configfile.file import load
from remediator.config.config import Config
from remediator.config.remedies import Remedy
from remediator.decide.remedies import Remedies
from remediator.tasks.registry import FACTS
from tests.helpers import wait_until
from tests.remediator.webhook.webhook_server import TOKEN, running_webhook
from tests.servers import alertmanager
from upkeeper.look.check_remedies import remedy_problems

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "rule-packs.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([^`]+)` \|(.*?)\| `([a-z-]+)` \| (?:`([a-z0-9-]+)`|(nothing)) \|$", re.MULTILINE)
LABEL = re.compile(r'`(\w+)="([^"]*)"`')


@dataclass(frozen=True)
class Row:
    labels: dict[str, str]
    task: str
    target: str | None


ROWS = [
    Row(
        {
            name: value
            for name, value in {
                "alertname": alert, "instance": "myhost:9100", "job": "theirs", "severity": "warning",
                **dict(LABEL.findall(labels)),
            }.items()
            if value
        },
        task,
        target or None,
    )
    for alert, labels, task, target, _ in ROW.findall(PAGE)
]  # fmt: skip


def remedies() -> list[Remedy]:
    return [Remedy.model_validate(one) for block in BLOCKS for one in yaml.safe_load(block)["remedies"]]


def test_the_page_holds_a_table_for_each_pack() -> None:
    assert len(BLOCKS) == PAGE.count("| alert | with these labels |") == 6
    assert len(ROWS) == sum(line.startswith("| `") for line in PAGE.splitlines())


@pytest.mark.servers
async def test_each_row_selects_what_it_says(tmp_path: Path) -> None:
    known = Remedies(remedies())
    async with running_webhook() as webhook:
        (tmp_path / "token").write_text(TOKEN)
        http = {"authorization": {"credentials_file": str(tmp_path / "token")}}
        route = {"receiver": "us", "group_by": ["job"], "group_wait": "1s", "group_interval": "1s"}
        receiver: dict[str, Any] = {"name": "us", "webhook_configs": [{"url": webhook.url, "http_config": http}]}
        (tmp_path / "am.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
        async with alertmanager(tmp_path / "am", tmp_path / "am.yml") as server, httpx.AsyncClient() as client:
            # Two rows about the same alert differ in their labels, so that each is an alert of its own.
            alerts = [{"labels": row.labels} for row in ROWS]
            (await client.post(f"{server.url}/api/v2/alerts", json=alerts)).raise_for_status()

            def received() -> list[dict[str, str]]:
                # All of them in the last one: an earlier one may have gone out before they were all there.
                return [dict(alert.labels) for alert in webhook.accepted[-1].alerts] if webhook.accepted else []

            await wait_until(lambda: len(received()), equals=len(ROWS), what="the alerts")
    for row in ROWS:
        assert row.labels in received()
        chosen = [(one.remedy.task, one.target) for one in known.select(row.labels)]
        said = [(task, target) for task, target in chosen if target is not None] or chosen[:1]
        assert said == [(row.task, row.target)], row.labels


def test_an_alert_of_another_machine_selects_nothing() -> None:
    known = Remedies(remedies())
    for row in ROWS:
        elsewhere = {
            name: re.sub(r"myhost|127\.0\.0\.1|localhost|supabase-db", "otherhost", value)
            for name, value in row.labels.items()
        }
        assert not known.select(elsewhere), elsewhere


def test_check_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    document = {"remedies": [one for block in BLOCKS for one in yaml.safe_load(block)["remedies"]]}
    (tmp_path / "upkeeper.yml").write_text(yaml.safe_dump(document))
    targets = {
        "docker-cleanup": {"docker"}, "log-rotation": {"pa"}, "postgres-maintenance": {"supabase"},
        "service-restart": {"n8n", "letta", "open-webui", "supabase-db"},
    }  # fmt: skip
    assert targets.keys() <= FACTS.keys()
    assert not list(remedy_problems(load(tmp_path / "upkeeper.yml", Config), targets, ()))
