"""A real Alertmanager posts to a stand-in for Slack: there is no Slack to be had in a test."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.alertmanager.alerts import ENDED, post
from tests.alertmanager.conftest import Start
from tests.helpers import wait_until

pytestmark = pytest.mark.servers


class StandIn:
    """A stand-in for Slack's incoming webhooks: answers ``ok`` as they do, and keeps what was posted."""

    def __init__(self) -> None:
        self.url = ""
        self.posts: list[Any] = []

    async def take(self, request: web.Request) -> web.Response:
        self.posts.append(await request.json())
        return web.Response(text="ok")


@pytest.fixture
async def slack() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    app = web.Application()
    app.router.add_post("/services/T/B/secret", stand_in.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    stand_in.url = f"http://127.0.0.1:{port}/services/T/B/secret"
    yield stand_in
    await runner.cleanup()


async def test_firing_and_resolved_are_posted(start: Start, slack: StandIn, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{slack.url}\n")
    async with start({"slack": {"webhook_url_file": str(tmp_path / "url"), "channel": "#{{ops}}"}}) as server:
        await post(server.url)
        await wait_until(lambda: slack.posts, what="a message")
        await post(server.url, ended=ENDED)
        await wait_until(lambda: len(slack.posts) == 2, what="the message of the end")

    firing, resolved = slack.posts
    assert firing["channel"] == "#{{ops}}"
    attachment = firing["attachments"][0]
    assert attachment["title"] == ("[warning] Log directory letta: 3MiB, over its limit of 2MiB &lt;b&gt; on pa-host")
    assert attachment["color"] == "danger"
    assert attachment["text"] == (
        "*WARNING*: Log directory letta: 3MiB, over its limit of 2MiB &lt;b&gt;\n"
        "It holds 3MiB &amp; more\nthan it may.\n"
        "Since 2026-03-01 12:29:45 UTC\n"
        "The remedy rotate-logs matches. It runs log-rotation: see `upkeeper history`.\n"
    )
    # Slack reads <...> as a link or a mention of everybody.
    assert not re.search("[<>]", attachment["text"] + attachment["title"] + attachment["fallback"])
    assert resolved["attachments"][0]["color"] == "good"
    assert resolved["attachments"][0]["title"].startswith("[resolved, was warning] Log directory letta")
    assert resolved["attachments"][0]["text"] == (
        "*RESOLVED*: Log directory letta: 3MiB, over its limit of 2MiB &lt;b&gt;\n"
        "What was wrong: It holds 3MiB &amp; more\nthan it may.\n"
        "Why it ended: The log directory letta is within its max_bytes. "
        "(An alert also ends when its metrics disappear, for which there are other alerts.)\n"
        "Since 2026-03-01 12:29:45 UTC until 2026-03-01 12:45:30 UTC, 15m30s after the alert began\n"
    )
