"""A restart of a real Prometheus that makes one outage look like two episodes, and a group that is sent cut off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.conftest import REMEDY
from tests.remediator.house import House, alertmanager_config, house
from tests.servers import ALERTMANAGERS, Server, alertmanager, alertmanager_program, prometheus

pytestmark = pytest.mark.servers

PATIENT = REMEDY.model_copy(update={"cooldown": 3600.0})


@asynccontextmanager
async def stack(
    directory: Path, *, config: dict[str, Any] | None = None, program: Path | None = None, **more: Any
) -> AsyncIterator[tuple[House, Server]]:
    port, ours = free_port(), free_port()
    async with house(directory, PATIENT, [f"http://127.0.0.1:{port}"], **(config or {})) as h:
        webhook = f"http://127.0.0.1:{ours}/api/v1/alertmanager"
        written = alertmanager_config(directory, webhook, token=h.core.state.alertmanager_token, **more)
        async with alertmanager(directory / "am", written, program=program, port=port) as server, h.serving(ours):
            yield h, server


async def test_one_outage_is_one_when_prometheus_is_restarted(tmp_path: Path) -> None:
    """Its ``for`` begins anew, and Alertmanager holds the alert for ended meanwhile."""
    port = free_port()
    rules = tmp_path / "rules.yml"
    rule = {"alert": "Cluttered", "expr": "vector(1)", "for": "15s", "labels": {"room": "attic"}}
    rules.write_text(yaml.safe_dump({"groups": [{"name": "a", "interval": "1s", "rules": [rule]}]}))
    async with stack(tmp_path, config={"prometheus": {"url": f"http://127.0.0.1:{port}"}}) as (h, server):
        h.task.useless = True
        targets = [{"static_configs": [{"targets": [server.url.removeprefix("http://")]}]}]
        document = {"rule_files": [str(rules)], "alerting": {"alertmanagers": targets}}
        start = partial(prometheus, tmp_path / "p", document, "--rules.alert.resend-delay=1s", port=port)
        async with start():
            await wait_until(h.alerts, equals=[("firing", None)], what="the alert")
            await wait_until(lambda: outcomes(h), equals=["ineffective"], what="the run")
        async with start():
            await wait_until(h.alerts, equals=[("resolved", None)], what="an end that is none")
            await wait_until(h.alerts, equals=[("resolved", None), ("firing", None)], what="the same outage again")

            async def joined() -> int | None:
                first, second = (await h.core.alerts())["items"][::-1]
                return first["continued_by"] == second["id"]

            await wait_until(joined, what="both as one outage")
            (run,) = (await h.core.runs())["items"]
            assert run["alert_id"] == (await h.core.alerts())["items"][0]["id"]
            assert run["alert_ended_at"] is None
            assert {each["alert_id"] for each in (await h.core.decisions())["items"]} == {run["alert_id"]}


async def outcomes(h: House) -> list[str | None]:
    return [run["outcome"] for run in (await h.core.runs())["items"]]


@pytest.mark.parametrize("generation", ALERTMANAGERS)
async def test_a_group_that_is_sent_cut_off_is_completed_at_once(tmp_path: Path, generation: str) -> None:
    program = alertmanager_program(generation)
    async with stack(tmp_path, program=program, max_alerts=2, group_by=["alertname"], group_wait="2s") as (h, _):
        for number in range(5):
            await h.post(room=f"room{number}")

        async def rooms() -> set[str]:
            return {alert["labels"]["room"] for alert in (await h.core.alerts())["items"]}

        await wait_until(rooms, equals={f"room{number}" for number in range(5)}, what="all of the group")
        assert (h.missed("truncated") or 0) >= 1
        assert h.missed("firing") == 0
