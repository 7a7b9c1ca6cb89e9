"""ntfy by Alertmanager's webhook, as `notify.ntfy` has it: a real Alertmanager posts to a stand-in. No ntfy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from remediator.config.notify import Notify
from tests import servers
from tests.alertmanager.alerts import ANNOTATIONS, ENDED, post
from tests.alertmanager.conftest import without_waits
from tests.exporter.serving import answering
from tests.helpers import wait_until
from tests.ports import free_port
from upkeeper.share import share_path
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "messages.md"
READ = ("status", "receiver", "alerts")
OF_EACH = ("labels", "annotations", "startsAt", "endsAt", "generatorURL", "status")
"""What ntfy's own template ``alertmanager`` reads: server/templates/alertmanager.yml of its repository."""


def written(layout: Layout, ntfy: dict[str, Any]) -> dict[str, Any]:
    """The receiver of people in the config that is written for it."""
    notify = Notify.model_validate({"ntfy": ntfy})
    write_configs(layout, Ports.from_base(free_port()), notify, share_path())
    found = yaml.safe_load(layout.alertmanager_config.read_bytes())["receivers"][1]
    assert isinstance(found, dict)
    return found


def test_the_docs_show_for_an_alertmanager_of_ones_own_what_is_written_for_ours(layout: Layout, tmp_path: Path) -> None:
    [given, shown] = [
        yaml.safe_load(text)
        for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "ntfy.example" in text
    ]
    (tmp_path / "token").write_text("tk_geheim\n")
    ours = written(layout, given["notify"]["ntfy"] | {"token_file": str(tmp_path / "token")})
    authorization = ours["webhook_configs"][0]["http_config"]["authorization"]
    assert Path(authorization["credentials_file"]).read_text() == "tk_geheim"
    authorization["credentials_file"] = given["notify"]["ntfy"]["token_file"]
    assert shown["receivers"] == [ours]


def test_a_topic_that_is_open_to_all_needs_no_token(layout: Layout) -> None:
    [webhook] = written(layout, {"server": "https://ntfy.example.org/", "topic": "open"})["webhook_configs"]
    assert webhook["url"] == "https://ntfy.example.org/open?template=alertmanager"
    assert "authorization" not in webhook["http_config"]


@pytest.mark.servers
async def test_firing_and_resolved_reach_a_topic(layout: Layout, tmp_path: Path) -> None:
    came: list[tuple[web.Request, Any]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request, await request.json()))
        return web.json_response({"id": "x", "event": "message"})

    (tmp_path / "token").write_text("tk_geheim\n")
    async with answering(take) as url:
        written(layout, {"server": url, "topic": "upkeeper", "token_file": str(tmp_path / "token")})
        without_waits(layout.alertmanager_config)
        async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server:
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
