"""ntfy by Alertmanager's webhook, as the docs have it: a real Alertmanager posts to a stand-in for ntfy. No ntfy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests import servers
from tests.alertmanager.alerts import ANNOTATIONS, ENDED, post
from tests.exporter.serving import answering
from tests.helpers import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "messages.md"
READ = ("status", "receiver", "alerts")
OF_EACH = ("labels", "annotations", "startsAt", "endsAt", "generatorURL", "status")
"""What ntfy's own template ``alertmanager`` reads: server/templates/alertmanager.yml of its repository."""


def receiver() -> dict[str, Any]:
    """The receiver that the docs show."""
    [shown] = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "ntfy.example" in text]
    [found] = yaml.safe_load(shown)["receivers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.servers
async def test_what_the_docs_show_reaches_a_topic(tmp_path: Path) -> None:
    came: list[tuple[web.Request, Any]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request, await request.json()))
        return web.json_response({"id": "x", "event": "message"})

    shown = receiver()
    [webhook] = shown["webhook_configs"]
    (tmp_path / "token").write_text("tk_geheim\n")
    async with answering(take) as url:
        webhook["url"] = webhook["url"].replace("https://ntfy.example.org", url)
        webhook["http_config"]["authorization"]["credentials_file"] = str(tmp_path / "token")
        route = {"receiver": shown["name"], "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        (tmp_path / "config.yml").write_text(yaml.safe_dump({"route": route, "receivers": [shown]}))
        async with servers.alertmanager(tmp_path / "data", tmp_path / "config.yml") as server:
            await post(server.url)
            await wait_until(lambda: came, what="a message")
            await post(server.url, ended=ENDED)
            await wait_until(lambda: len(came) == 2, what="the message of the end")
    for (request, body), status in zip(came, ("firing", "resolved"), strict=True):
        assert (request.method, request.path, dict(request.query)) == (
            "POST",
            "/upkeeper",
            {"template": "alertmanager"},
        )
        assert request.headers["Authorization"] == "Bearer tk_geheim"
        assert body["status"] == status
        assert set(READ) <= body.keys()
        [one] = body["alerts"]
        assert set(OF_EACH) <= one.keys()
        assert one["labels"]["alertname"] == "UpkeeperLogDirectoryOverLimit"
        assert one["annotations"] == ANNOTATIONS
