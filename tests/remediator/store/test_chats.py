"""Questions in chats and their answers in the record, on each database: asked once, answered once."""

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Literal

import structlog

from remediator.chat.channel import Answer, Question
from remediator.chat.chats import Chats
from remediator.config.config import Config
from remediator.model.approval import former_plan_hash as hash_of
from remediator.model.caller import ASKING
from remediator.model.errors import conflict
from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
from remediator.store import approvals, audit, chats, pages, runs
from remediator.store.database import Database
from tests.remediator.store.conftest import Open
from tests.remediator.store.test_approvals import ask, plan, waiting_run

NOW = 4.0


class Channel:
    """A chat of the test's own. posted: recipient and secret of each question. shows: the texts put in their place."""

    recipients: Sequence[str] = ("room",)

    def __init__(self) -> None:
        self.name = "telegram"
        self.posted: list[tuple[str, str]] = []
        self.shows: list[tuple[str, str]] = []
        self.said: list[str] = []

    async def post(self, recipient: str, question: Question) -> str:
        self.posted.append((recipient, question.secret))
        return f"m{len(self.posted)}"

    async def show(self, recipient: str, ref: str, text: str) -> None:
        self.shows.append((ref, text))

    async def answers(self) -> AsyncGenerator[Answer | None]:
        yield None

    async def close(self) -> None:
        """There is nothing open."""

    def answer(self, secret: str, verdict: Literal["approve", "deny"], who: str | None = "anna") -> Answer:
        async def say(text: str) -> None:
            self.said.append(text)

        return Answer(secret, verdict, who, "1", say)


class Approvals:
    """Decides as the service does, without what an engine would do next."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def approval(self, id: int) -> ApprovalDetail:
        return await self._database.read(partial(pages.one_approval, approval_id=id, now=NOW))

    async def decide_approval(
        self, id: int, verdict: Literal["approve", "deny"], plan_hash: str, reason: str = ""
    ) -> ApprovalView:
        state: Literal["approved", "denied"] = "approved" if verdict == "approve" else "denied"
        who = ASKING.get()
        assert who is not None
        decide = partial(
            approvals.decide, approval_id=id, plan_hash=plan_hash, state=state, by=who, reason=reason, now=NOW
        )
        if not await self._database.write(decide):  # type: ignore[arg-type]
            raise conflict(f"approval {id} is over")
        return await self._database.read(partial(pages.approval_view, approval_id=id, now=NOW))


def asking(database: Database) -> Chats:
    config = Config.model_validate({})
    return Chats(database, lambda: Approvals(database), lambda: config, lambda _: (), lambda: NOW)


async def kinds(database: Database) -> list[str]:
    records = await database.read(lambda connection: audit.records(connection, database.host))
    return [record.kind for record in records if record.kind.startswith("approval.")]


async def test_it_is_asked_once_answered_once_and_the_message_follows(database: Database) -> None:
    run_id, channel, service = await waiting_run(database), Channel(), asking(database)
    await ask(database, run_id, "a")
    await service.look(channel)
    await asking(database).look(channel)  # as after a restart
    [(recipient, secret)] = channel.posted
    assert (recipient, channel.shows) == ("room", [])
    stranger = channel.answer(secret, "approve", None)
    await service.take(channel, stranger)
    # The same answer twice and another one, at the same moment.
    answers = [channel.answer(secret, verdict) for verdict in ("approve", "approve", "deny")]  # type: ignore[arg-type]
    await asyncio.gather(*(service.take(channel, answer) for answer in answers))
    assert [text.partition(" ")[0] for text in sorted(channel.said)] == ["Not", "Not", "You", "t"]
    found = await kinds(database)
    assert found in (["approval.asked", "approval.approved"], ["approval.asked", "approval.denied"])
    await service.look(channel)
    assert ("by anna (chat)" in channel.shows[0][1], channel.shows[0][0]) == (True, "m1")
    if found[-1] == "approval.approved":
        assert len(channel.shows) == 1
        await database.write(partial(runs.finish, run_id=run_id, outcome="effective", reason="less", now=NOW))  # type: ignore[arg-type]
        await service.look(channel)
        assert "effective: less" in channel.shows[1][1]
    shown = len(channel.shows)
    await service.look(channel)
    assert (len(channel.shows), len(channel.posted)) == (shown, 1)


async def test_two_chats_at_the_same_moment_decide_once_and_both_are_told(database: Database) -> None:
    await ask(database, await waiting_run(database), "a")
    service, telegram, slack = asking(database), Channel(), Channel()
    slack.name = "slack"
    for channel in (telegram, slack):
        await service.look(channel)
    [(_, of_telegram)], [(_, of_slack)] = telegram.posted, slack.posted
    await asyncio.gather(
        service.take(telegram, telegram.answer(of_telegram, "approve")),
        service.take(slack, slack.answer(of_slack, "deny", "bob")),
    )
    assert len([kind for kind in await kinds(database) if kind != "approval.asked"]) == 1
    assert len([text for text in (*telegram.said, *slack.said) if text.startswith("Not done: ")]) == 1
    for channel in (telegram, slack):
        await service.look(channel)
        [said] = channel.said
        [(_, shown)] = channel.shows
        assert (said.startswith("t on ") or " is over" in said, " by " in shown) == (True, True)
    assert telegram.shows[0][1].split("\n")[0] == slack.shows[0][1].split("\n")[0], "they show different outcomes"
    # The secret of one is none in the other.
    await service.take(slack, slack.answer(of_telegram, "approve"))
    assert slack.said[1].startswith("Nothing waits for this answer")


async def test_an_answer_in_one_chat_is_never_about_another_plan_of_the_same_actions(database: Database) -> None:
    for target in ("x", "y"):
        await ask(database, await waiting_run(database, target), "a")
    channel, service = Channel(), asking(database)
    await service.look(channel)
    first, second = (secret for _, secret in channel.posted)
    await service.take(channel, channel.answer(second, "approve"))
    await service.take(channel, channel.answer(second, "deny"))
    found = await database.read(partial(pages.list_approvals, now=NOW, limit=5))
    states = {one["target"]: one["state"] for one in found["items"]}
    assert (states, first != second) == ({"x": "asked", "y": "approved"}, True)


async def test_what_strangers_cause_is_said_once_and_with_its_number(database: Database) -> None:
    """Whoever may write to a topic of answers must fill neither the log nor an approver's phone."""
    channel, service = Channel(), asking(database)
    with structlog.testing.capture_logs() as logs:
        for _ in range(50):
            await service.take(channel, channel.answer("x" * 22, "approve", None))
        for _ in range(50):
            guessed = dataclasses.replace(channel.answer("x" * 22, "approve"), recipient="up-anna")
            await service.take(channel, guessed)
    assert [(one["event"], one["times"]) for one in logs] == [
        ("a stranger answered in a chat", 1), ("an answer to nothing that waits", 1),
    ]  # fmt: skip
    assert channel.said.count("Nothing waits for this answer any more. Nothing was done.") == 1


async def test_a_post_that_failed_is_tried_again_and_its_former_secret_is_void(database: Database) -> None:
    run_id, channel, service = await waiting_run(database), Channel(), asking(database)
    number = await ask(database, run_id, "a")
    begin = partial(chats.begin, host=database.host, channel=channel.name, one=chats.Wanted(number, "room"), now=3.0)
    await database.write(partial(begin, secret="of the one that failed"))
    named = partial(chats.named, host=database.host, channel=channel.name)
    assert await database.read(partial(named, secret="of the one that failed")) is not None, "it may have arrived"
    await service.look(channel)
    assert len(channel.posted) == 1
    assert await database.read(partial(named, secret="of the one that failed")) is None


async def test_what_ended_while_it_posted_shows_the_outcome_by_the_answer(database: Database) -> None:
    run_id, channel, service = await waiting_run(database), Channel(), asking(database)
    number = await ask(database, run_id, "a")
    one = chats.Wanted(number, "room")
    begin = partial(chats.begin, host=database.host, channel=channel.name, one=one, now=3.0)
    assert await database.write(partial(begin, secret=hashlib.sha256(b"s").hexdigest()))
    # It was posted, and the process was killed. Somebody answers; what looks meanwhile posts it once more, or not.
    await service.take(channel, dataclasses.replace(channel.answer("s", "deny"), ref="m0"))
    assert not await database.write(partial(begin, secret="another")), "it has been decided"
    await service.look(channel)
    assert (channel.posted, [ref for ref, text in channel.shows if "denied by anna" in text]) == ([], ["m0"])


async def test_another_plan_is_another_question_and_hosts_ask_for_themselves(open_for: Open) -> None:
    kitchen, cellar = await open_for("kitchen"), await open_for("cellar")
    channel, run_id = Channel(), await waiting_run(kitchen)
    await ask(kitchen, run_id, "a")
    await asking(cellar).look(channel)
    assert channel.posted == [], "a question of another host was asked"
    await asking(kitchen).look(channel)
    await ask(kitchen, run_id, "a", "b")
    await asking(kitchen).look(channel)
    (_, first), (_, second) = channel.posted
    assert [(ref, "superseded" in text) for ref, text in channel.shows] == [("m1", True)]
    for host, secret in ((kitchen, first), (cellar, second)):
        await asking(host).take(channel, channel.answer(secret, "approve"))
    assert "approval.approved" not in await kinds(kitchen)
    await asking(kitchen).take(channel, channel.answer(second, "approve"))
    assert (await kinds(kitchen)).count("approval.approved") == 1
    hashed = hash_of(plan("a", "b").actions)
    [view] = (await kitchen.read(partial(pages.list_approvals, now=NOW, state="approved", limit=5)))["items"]
    assert (view["plan_hash"], view["by"]) == (hashed, {"trigger": "chat", "name": "anna"})
    assert ASKING.get() is None
