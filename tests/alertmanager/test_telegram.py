"""A real Alertmanager posts to a stand-in for Telegram's Bot API: there is no Telegram to be had in a test."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from remediator.config.notify import Notify
from tests import servers
from tests.alertmanager.alerts import ENDED, post
from tests.alertmanager.conftest import without_waits
from tests.exporter.serving import answering
from tests.helpers import wait_until
from tests.ports import free_port
from upkeeper.share import share_path
from upkeeper.up.messages import Local
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs


@pytest.mark.servers
async def test_firing_and_resolved_are_sent(layout: Layout, tmp_path: Path) -> None:
    sent: list[tuple[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        body = await (request.json() if request.content_type == "application/json" else request.post())
        sent.append((request.path, dict(body)))
        return web.json_response(
            {"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": -7, "type": "group"}}}
        )

    (tmp_path / "token").write_text("123:secret\n")
    notify = Notify.model_validate({"telegram": {"bot_token_file": str(tmp_path / "token"), "chat_id": -7}})
    async with answering(take) as api:
        write_configs(layout, Ports.from_base(free_port()), notify, share_path(), local=Local("pa-host"))
        assert layout.alertmanager_config.stat().st_mode & 0o077 == 0
        config = yaml.safe_load(layout.alertmanager_config.read_bytes())
        config["receivers"][1]["telegram_configs"][0]["api_url"] = api
        layout.alertmanager_config.write_text(yaml.safe_dump(config))
        without_waits(layout.alertmanager_config)
        async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server:
            await post(server.url)
            await wait_until(lambda: sent, what="a message")
            await post(server.url, ended=ENDED)
            await wait_until(lambda: len(sent) == 2, what="the message of the end")
    (path, firing), (_, resolved) = sent
    assert path == "/bot123:secret/sendMessage"
    assert str(firing["chat_id"]) == "-7"
    assert not firing.get("parse_mode")
    assert firing["text"].startswith("WARNING: Log directory letta: 3MiB, over its limit of 2MiB <b>\n")
    assert "Host: pa-host\nSince: 2026-03-01 12:29:45 UTC\n" in firing["text"]
    assert resolved["text"].startswith("RESOLVED: Log directory letta")
    assert "Why it ended: The log directory letta is within its max_bytes." in resolved["text"]
