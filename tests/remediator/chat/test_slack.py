"""Approvals in Slack, against a stand-in that speaks Socket Mode."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from remediator.chat.channel import Channel
from remediator.chat.slack import Slack as Client
from remediator.config.config import Config
from tests.helpers import wait_until
from tests.remediator.chat.scene import Scene, a_scene
from tests.remediator.chat.slack_stand_in import APP, BOT, CHANNEL, Slack, slack
from tests.remediator.stack import Stack

ANNA, BOB = "U0000000001", "U0000000002"


@pytest.fixture
async def server() -> AsyncIterator[Slack]:
    async with slack() as made:
        yield made


@pytest.fixture
async def scene(stack: Stack, server: Slack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    (tmp_path / "app").write_text(APP)
    (tmp_path / "bot").write_text(BOT)
    section = {
        "app_token_file": str(tmp_path / "app"), "bot_token_file": str(tmp_path / "bot"), "channel": CHANNEL,
        "approvers": {ANNA: "anna"}, "api": server.url,
    }  # fmt: skip

    def make(config: Config) -> list[Channel]:
        return [Client(config.chats.slack)] if config.chats.slack else []

    async with a_scene(stack, monkeypatch, {"slack": section}, make, server.texts) as made:
        yield made


async def test_only_an_approvers_button_counts_and_the_message_ends_up_with_the_outcome(
    scene: Scene, server: Slack
) -> None:
    (scene.stack.attic / "<!channel> & *x*").touch()
    await scene.asks()
    [message] = server.messages.values()
    assert "<!channel>" not in message["text"], "what stands in a plan mentions somebody"
    assert message["blocks"][0]["text"]["type"] == "plain_text"
    assert "<!channel> & *x*" in message["blocks"][0]["text"]["text"]
    for payload in ({}, {"type": "view_submission"}, {"type": "block_actions", "user": {"id": ANNA}, "actions": 5}):
        server.send(payload)
    server.send({}, kind="events_api")
    server.press(1, "Approve", ANNA, channel="C0000000009")
    server.press(1, "Approve", BOB)
    await wait_until(lambda: len(server.acknowledged) == 6, what="all to be dealt with")
    assert ([user for user, _ in server.said], await scene.state()) == ([BOB], "asked")
    server.press(1, "Approve", ANNA)
    await scene.says(1, "approved by anna (chat)", "effective: ")
    assert server.buttons(1) == []
    await wait_until(lambda: server.acknowledged, equals=[f"e{n}" for n in range(1, 8)], what="the last press")
    assert server.said[1:] == [(ANNA, "sweep on attic: approved.")]


async def test_a_connection_that_is_refreshed_and_an_envelope_that_comes_twice_decide_once(
    scene: Scene, server: Slack
) -> None:
    with structlog.testing.capture_logs() as logs:
        server.fails = {"apps.connections.open": "internal_error", "chat.postMessage": "fatal_error"}
        await scene.asks()
        server.forgetful = True
        server.press(1, "Deny", ANNA)
        await wait_until(lambda: server.acknowledged, what="the second envelope to be taken")
        await scene.says(1, "denied by anna")
    assert server.opened >= 2
    assert [text.partition(" is over")[0] for _, text in server.said] == [
        "sweep on attic: denied.", "Not done: approval 1",
    ]  # fmt: skip
    records = (await scene.stack.core.audit(limit=100))["items"]
    assert len([each for each in records if each["kind"] == "approval.denied"]) == 1
    assert "geheim" not in str(logs)
