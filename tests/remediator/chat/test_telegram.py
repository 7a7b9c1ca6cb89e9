"""Approvals from Telegram, against a stand-in that speaks its Bot API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from remediator.chat.channel import Channel
from remediator.chat.telegram import Telegram, _Refused
from remediator.config.config import Config
from tests.helpers import wait_until
from tests.remediator.chat.scene import Scene, a_scene
from tests.remediator.chat.telegram_stand_in import TOKEN, Bot, failed, telegram
from tests.remediator.stack import Stack, settings

ANNA, BOB = 111, 222


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with telegram() as made:
        yield made


@pytest.fixture
async def scene(stack: Stack, bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    section = {"bot_token_file": str(token), "chat_id": -1001, "approvers": {ANNA: "anna"}, "api": bot.url}

    def make(config: Config) -> list[Channel]:
        return [Telegram(config.chats.telegram, poll_seconds=1)] if config.chats.telegram else []

    def texts() -> dict[int, str]:
        return {number: str(each["text"]) for number, each in bot.messages.items()}

    async with a_scene(stack, monkeypatch, {"telegram": section}, make, texts) as made:
        yield made


async def test_a_plan_is_shown_and_only_an_approvers_answer_to_it_counts_until_its_outcome_ends_up_there(
    scene: Scene, bot: Bot
) -> None:
    await scene.asks()
    text = scene.texts()[1]
    assert text.startswith("sweep on attic (")
    assert "- delete f0" in text
    assert [each["url"] for row in bot.keyboard(1) for each in row if "url" in each] == [
        "https://ops.example.org/up/console/approvals/1"
    ]
    for data in ("a:", "a:wrong", "x:y", "", "a", "approve 1", "a:" + "x" * 5000):
        bot.send(data, ANNA)
    bot.send(bot.keyboard(1)[0][0]["callback_data"], ANNA, chat=-5)  # from another chat
    bot.updates.append({"update_id": 500 + len(bot.updates), "nonsense": []})
    bot.press(1, "Approve", BOB)
    await wait_until(
        lambda: any("You may not approve here" in text for _, text in bot.said), what="the stranger's answer"
    )
    assert await scene.state() == "asked"
    assert "Approve" in str(bot.keyboard(1)), "the others can no longer answer"
    told = len(bot.said)
    bot.press(1, "Approve", ANNA)
    await scene.says(1, "approved by anna (chat)", "effective: ")
    assert bot.keyboard(1) == [], "there is still something to press"
    await wait_until(lambda: bot.said[told:], equals=[("q10", "sweep on attic: approved.")], what="the answer to her")
    assert (await scene.ended())["outcome"] == "effective"
    assert (await scene.stack.core.approval(1))["by"] == {"trigger": "chat", "name": "anna"}


async def test_what_comes_twice_decides_once(scene: Scene, bot: Bot) -> None:
    await scene.asks()
    bot.press(1, "Approve", ANNA, times=3)
    bot.press(1, "Deny", ANNA)
    await wait_until(lambda: len(bot.said) == 4, what="four answers")
    assert bot.said[0][1] == "sweep on attic: approved."
    assert all("is over: approved by anna" in text for _, text in bot.said[1:])
    records = (await scene.stack.core.audit(limit=100))["items"]
    assert [each["kind"] for each in records if each["kind"].startswith("approval.")] == [
        "approval.approved", "approval.asked",
    ]  # fmt: skip


async def test_a_conflict_a_repeated_update_and_numbers_that_begin_anew_decide_once_each(
    scene: Scene, bot: Bot
) -> None:
    """After a week without news Telegram's numbers go on anywhere: an offset of before must not confirm them unseen."""
    conflict = failed(409, "Conflict: terminated by other getUpdates request; make sure that only one bot runs")
    bot.refuses = {"getUpdates": conflict}
    await scene.asks()
    bot.press(1, "Approve", BOB)
    bot.updates.append(dict(bot.updates[0]))  # the same once more, with the same number
    await wait_until(lambda: len(bot.said), equals=2, what="the stranger's answers")
    polls = bot.calls.count("getUpdates")
    await wait_until(lambda: bot.calls.count("getUpdates") > polls + 1, what="an answer without news")
    bot.updates, bot.first, bot.confirmed = [], 7, 0
    bot.press(1, "Approve", ANNA)
    bot.updates.append(dict(bot.updates[0]))
    await scene.says(1, "approved by anna (chat)")
    await wait_until(lambda: len(bot.said), equals=4, what="her answers")
    assert [text.startswith("sweep on attic") for _, text in bot.said[2:]] == [True, False]
    assert not bot.refuses
    records = (await scene.stack.core.audit(limit=100))["items"]
    assert len([each for each in records if each["kind"] == "approval.approved"]) == 1


async def test_what_is_asked_is_text_in_which_nobody_is_mentioned(scene: Scene, bot: Bot) -> None:
    (scene.stack.attic / "@anna evil.example \u202egpj.exe \U0001f525").touch()
    await scene.asks()
    message = bot.messages[1]
    assert "@anna evil.example \\u202egpj.exe \U0001f525" in message["text"]
    assert "parse_mode" not in message
    [entity] = message["entities"]
    assert entity == {"type": "pre", "offset": 0, "length": len(message["text"].encode("utf-16-le")) // 2}


@pytest.mark.parametrize(
    ("given", "wait"),
    [(0.5, 0.5), (7200, 3600.0), (0, 0.0), (-3, 0.0), ("9", 0.0), (None, 0.0), (True, 1.0), (10**400, 3600.0)],
)
def test_it_is_left_alone_for_as_long_as_it_says_and_an_hour_at_most(given: object, wait: float) -> None:
    assert _Refused("m", 429, given).wait == wait


async def test_a_plan_that_changed_is_not_approved_by_the_former_message(scene: Scene, bot: Bot) -> None:
    await scene.asks()
    data = bot.keyboard(1)[0][0]["callback_data"]
    scene.stack.clutter(6)  # the plan will be another one when it is to be applied
    bot.press(1, "Approve", ANNA)
    await scene.says(1, "superseded")
    await wait_until(lambda: len(bot.messages) == 2, what="another question")
    assert "- delete f5" in scene.texts()[2]
    bot.send(data, ANNA)
    await wait_until(lambda: len(bot.said) == 2, what="an answer")
    assert "is over: superseded" in bot.said[1][1]
    bot.press(2, "Deny", ANNA)
    await scene.says(2, "denied by anna (chat)")
    assert (await scene.ended())["outcome"] == "denied"


async def test_what_is_decided_elsewhere_ends_the_question(scene: Scene, bot: Bot) -> None:
    await scene.asks()
    one = await scene.stack.core.approval(1)
    await scene.stack.core.decide_approval(1, "deny", one["plan_hash"], reason="not today")
    await scene.says(1, "denied by", "not today")
    assert bot.keyboard(1) == []


async def test_a_restart_asks_nothing_twice_and_takes_what_was_answered_meanwhile(scene: Scene, bot: Bot) -> None:
    await scene.asks()
    await scene.end()
    bot.press(1, "Approve", ANNA)
    scene.begin()
    await scene.says(1, "approved by anna")
    await scene.end()
    scene.begin()
    await scene.says(1, "effective")
    assert bot.calls.count("sendMessage") == 1


async def test_an_outage_loses_nothing_and_is_told_once(scene: Scene, bot: Bot) -> None:
    with structlog.testing.capture_logs() as logs:
        bot.refuses = {
            "sendMessage": failed(429, "Too Many Requests", retry_after=0.01),
            "getUpdates": failed(502, f"Bad Gateway for {TOKEN}"),
            "editMessageText": failed(500, "Internal"),
            "answerCallbackQuery": failed(400, "Bad Request: query is too old"),
        }
        await scene.asks()
        bot.press(1, "Approve", ANNA)
        await scene.says(1, "approved by anna", "effective")
    await wait_until(lambda: bot.refuses, equals={}, what="all of them to be met")
    assert "chat does not work" in [each["event"] for each in logs]
    assert TOKEN.partition(":")[2] not in str(logs)
    assert (await scene.ended())["outcome"] == "effective"


async def test_without_telegram_runs_go_on(scene: Scene) -> None:
    """Whoever is asked in the chat cannot be reached: others are, and what needs nobody runs."""
    section = {**scene.config.chats.telegram.model_dump(by_alias=True), "api": "http://127.0.0.1:9"}  # type: ignore[union-attr]
    config = Config.model_validate({"remediator": {"ballast": 0}, "chats": {"telegram": section}})
    scene.stack.remedies[0] = scene.stack.remedies[0].model_copy(update={"autonomy": "auto"})
    scene.stack.core.apply_settings(settings(scene.stack.task, scene.stack.remedies, config))
    with structlog.testing.capture_logs() as logs:
        await wait_until(lambda: "cannot reach Telegram" in str(logs), what="the outage in the log")
        scene.stack.clutter(2)
        await scene.stack.core.start_run("sweep", "attic")
        assert (await scene.ended())["outcome"] == "effective"
        assert TOKEN.partition(":")[2] not in str(logs)
