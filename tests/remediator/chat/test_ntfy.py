"""Approvals by ntfy, against a stand-in that speaks its API."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remediator.chat import ntfy as client
from remediator.chat.channel import Channel
from remediator.chat.ntfy import Ntfy as Client
from remediator.config.config import Config
from tests.helpers import wait_until
from tests.remediator.chat.ntfy_stand_in import TOKEN, Ntfy, ntfy
from tests.remediator.chat.scene import Scene, a_scene
from tests.remediator.stack import Stack


@pytest.fixture
async def server() -> AsyncIterator[Ntfy]:
    async with ntfy() as made:
        yield made


@pytest.fixture
async def scene(stack: Stack, server: Ntfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    (tmp_path / "token").write_text(TOKEN)
    section = {
        "server": server.url, "token_file": str(tmp_path / "token"), "answers": "up-answers",
        "approvers": {"up-anna": "anna", "up-bob": "bob"},
    }  # fmt: skip

    def make(config: Config) -> list[Channel]:
        return [Client(config.chats.ntfy, time.time, poll_seconds=0.2)] if config.chats.ntfy else []

    monkeypatch.setattr(client, "TOO_MANY_SECONDS", 0.2)
    async with a_scene(stack, monkeypatch, {"ntfy": section}, make, server.texts) as made:
        yield made


async def test_each_approver_is_asked_nobody_answers_for_another_one_decides_and_both_are_told(
    scene: Scene, server: Ntfy
) -> None:
    await scene.asks(2)
    assert [each["topic"] for each in server.published] == ["up-anna", "up-bob"]
    _, secret, _ = server.published[0]["actions"][0]["body"].split(" ")
    for text in (
        f"approve {secret} up-bob",
        f"approve {secret} up-eve",
        f"approve {secret}",
        "approve x up-anna",
        "hi",
    ):
        server.add("up-answers", text)
    polls = server.polls
    await wait_until(lambda: server.polls > polls + 1, what="all to be dealt with")
    assert await scene.state() == "asked"
    server.published[2:] = []  # what was said to those who tried
    await server.press(2, "Approve", times=2)
    for message in (1, 2):
        await scene.says(message, "approved by bob (chat)", "effective: ")
    assert (await scene.stack.core.approval(1))["by"] == {"trigger": "chat", "name": "bob"}

    def told() -> list[str]:
        return [each["message"] for each in server.published if each["topic"] == "up-bob" and "sequence_id" not in each]

    await wait_until(lambda: len(told()) == 2, what="both presses to be answered")
    assert told()[0] == "sweep on attic: approved."
    assert "is over: approved by bob" in told()[1]


async def test_what_was_answered_while_we_were_away_counts_and_what_is_old_disturbs_nobody(
    scene: Scene, server: Ntfy
) -> None:
    await scene.asks(2)
    await scene.end()
    body = server.published[0]["actions"][1]["body"]
    for _ in range(2):
        server.add("up-answers", body, at=time.time() - 3600)
    server.fails = [500, 502, 429]
    scene.begin()
    await scene.says(1, "denied by anna")
    polls = server.polls
    await wait_until(lambda: server.polls > polls + 1, what="all answers to be dealt with")
    assert not server.fails, "not all of them were met"
    assert not [each for each in server.published if "sequence_id" not in each], "an old answer was talked about"
    assert len([each for each in server.published if "actions" in each]) == 2, "it was asked twice"


async def test_a_server_that_has_forgotten_repeats_all_and_whose_clock_is_wrong_counts_once(
    scene: Scene, server: Ntfy
) -> None:
    await scene.asks(2)
    await server.press(1, "Deny")
    server.topics["up-answers"][-1]["time"] = 1.0
    await scene.says(1, "denied by anna")
    server.topics["up-answers"] = [{**each, "id": f"again{n}"} for n, each in enumerate(server.topics["up-answers"])]
    server.add("up-answers", server.published[0]["actions"][0]["body"], at=time.time() + 86400)
    polls = server.polls
    await wait_until(lambda: server.polls > polls + 1, what="all to be dealt with")
    records = (await scene.stack.core.audit(limit=100))["items"]
    assert [each["kind"] for each in records if each["kind"].startswith("approval.")] == [
        "approval.denied", "approval.asked",
    ]  # fmt: skip


async def test_who_writes_very_much_to_the_topic_of_answers_keeps_nobody_from_answering(
    scene: Scene, server: Ntfy
) -> None:
    await scene.asks(2)
    for _ in range(7):
        server.add("up-answers", "x" * 900_000)
    await server.press(1, "Approve")
    for _ in range(3):
        server.add("up-answers", "x" * 900_000)
    await scene.says(1, "approved by anna")


async def test_a_message_is_short_enough_to_be_one(scene: Scene, server: Ntfy) -> None:
    for n in range(9):
        (scene.stack.attic / (f"{n}" + "\u65e5" * 80)).touch()
    await scene.asks(2)
    text = server.published[0]["message"]
    assert len(text.encode()) <= client.LONGEST_BYTES
    assert "\ufffd" not in text
