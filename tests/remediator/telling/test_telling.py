"""What became of alerts reaches people: by a real SMTP server, and by stand-ins for Slack's webhook, Telegram
and ntfy.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiohttp import web
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from remediator.config.config import Config
from remediator.model.alert import ReceivedAlert
from remediator.model.evidence import Section
from remediator.store import evidence
from remediator.store.tables import artefacts
from remediator.telling.telling import AT_LEAST, Telling
from remediator.telling.words import Message
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.exporter.serving import answering
from tests.helpers import wait_until
from tests.remediator.chat.ntfy_stand_in import TOKEN, Ntfy, ntfy
from tests.remediator.stack import START, Stack, alert, settings

SUMMARY = "attic: 3 files, and 0 are allowed <b>"
WAYS = ("email", "slack", "telegram", "ntfy")
KEY = "password=hunter2hunter2"


@dataclass
class Posts:
    """Stands in for Slack's incoming webhooks and Telegram's Bot API. fails: statuses of the next answers."""

    slack: list[Any] = field(default_factory=list)
    telegram: list[Any] = field(default_factory=list)
    fails: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if self.fails:
            return web.Response(status=self.fails.pop(0), text="no")
        if request.path == "/services/T/B/x":
            self.slack.append(await request.json())
            return web.Response(text="ok")
        assert request.path == "/bot123:geheim/sendMessage"
        self.telegram.append(await request.json())
        return web.json_response({"ok": True, "result": {"message_id": 1}})


@dataclass
class Scene:
    stack: Stack
    telling: Telling
    mailbox: Mailbox
    posts: Posts
    ntfy: Ntfy

    async def fires(self, **labels: str) -> ReceivedAlert:
        one = told_alert(self.stack.clock.now, **labels)
        await self.stack.receive(one)
        return one

    async def ends(self, one: ReceivedAlert) -> None:
        await self.stack.receive(replace(one, status="resolved", ends_at=self.stack.clock.now))

    async def later(self, seconds: float) -> None:
        """So much time passes, in which is looked when the last look said so, each minute and in the end."""
        clock = self.stack.clock
        end, again = clock.now + seconds, clock.now
        while clock.now < end:
            clock.now = min(end, clock.now + AT_LEAST, max(again, clock.now + 20))
            again = await self.telling.look() or end

    @property
    def texts(self) -> list[str]:
        return [part(mail, "plain") for _, mail in self.mailbox.mails]


def told_alert(starts_at: float, **labels: str) -> ReceivedAlert:
    annotations = {"summary": SUMMARY, "runbook_url": "https://wiki.example.org/Cluttered"}
    return replace(alert(starts_at=starts_at, severity="warning", **labels), annotations=annotations)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with served(Mailbox(), login=False) as made:
        yield made


@pytest.fixture
async def scene(stack: Stack, mailbox: Mailbox, tmp_path: Path) -> AsyncIterator[Scene]:
    posts = Posts()
    async with answering(posts.take) as api, ntfy() as server:
        (tmp_path / "slack").write_text(f"{api}/services/T/B/x\n")
        (tmp_path / "token").write_text("123:geheim\n")
        (tmp_path / "ntfy").write_text(f"{TOKEN}\n")
        notify = {
            "host": "pa-host",
            "email": {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address,
                      "require_tls": False},
            "slack": {"webhook_url_file": str(tmp_path / "slack"), "channel": "#ops"},
            "telegram": {"bot_token_file": str(tmp_path / "token"), "chat_id": -7, "api": api},
            "ntfy": {"server": server.url, "topic": "alerts", "token_file": str(tmp_path / "ntfy")},
        }  # fmt: skip
        document = {"remediator": {"ballast": 0}, "schedule": {"jobs": []}, "notify": notify}
        config = Config.model_validate(document | {"console": {"url": "https://ops.example.org/up"}})
        stack.core.apply_settings(settings(stack.task, stack.remedies, config))
        yield Scene(
            stack,
            Telling(stack.core._database, lambda: stack.core.config, stack.clock, stack.core.reach, patience=30.0),
            mailbox,
            posts,
            server,
        )


async def test_what_was_mended_is_told_once_with_its_last_lines(scene: Scene) -> None:
    stack = scene.stack
    stack.clutter()
    one = await scene.fires(instance="127.0.0.1:10746")
    [run] = await stack.finished()
    lines = [*(f"line {number}" for number in range(20)), f"the last <b>line</b>, {KEY}"]
    keep = partial(evidence.keep, run_id=run["id"], sections=[Section("log of attic", lines)], now=START)
    await stack.core._database.write(lambda connection: _replace_evidence(connection, run["id"], keep))
    await scene.later(60)
    assert scene.texts == [], "it waits whether the alert ends"
    await scene.ends(one)
    await scene.later(300)
    [(to, mail)] = scene.mailbox.mails
    assert to == ["ann@example.org"]
    assert mail["Subject"] == f"[resolved, was warning] {SUMMARY} on pa-host: sweep mended it"
    plain = part(mail, "plain").replace("\r\n", "\n")
    assert plain.startswith(
        "sweep on attic (run 1) mended it, and freed 3 B: 0 files. The alert ended 1m after it began.\n\n"
        f"{SUMMARY}\n"
        "Host: pa-host\nSince: 2027-01-15 08:00:00 UTC\nUntil: 2027-01-15 08:01:00 UTC\nRemedy: tidy\n"
    )
    assert "What was done:\n- delete f0: done" in plain
    assert "Last lines of log of attic, as it was when the run began:\n  line 13\n" in plain
    assert "the last <b>line</b>, password=" in plain
    assert "What you can do: nothing; it is mended.\n" in plain
    assert f"https://ops.example.org/up/console/runs/{run['id']}\n" in plain
    assert f"https://ops.example.org/up/console/alerts/of/{one.fingerprint}\n" in plain
    assert "What to do: https://wiki.example.org/Cluttered\n" in plain
    html = part(mail, "html")
    assert "the last &lt;b&gt;line&lt;/b&gt;" in html
    assert not [kind for kind in ("plain", "html") if KEY in part(mail, kind)]
    [slack], [telegram] = scene.posts.slack, scene.posts.telegram
    assert (slack["channel"], slack["attachments"][0]["color"]) == ("#ops", "good")
    assert "the last &lt;b&gt;line&lt;/b&gt;" in slack["attachments"][0]["text"]
    assert "<" not in json.dumps(slack)
    assert (telegram["chat_id"], telegram["text"].startswith("[resolved, was warning]")) == (-7, True)
    [ntfy] = scene.ntfy.published
    assert (ntfy["topic"], ntfy["title"], ntfy["priority"]) == ("alerts", mail["Subject"], 3)
    assert ntfy["message"] == plain.rstrip()
    assert ntfy["click"] == f"https://ops.example.org/up/console/runs/{run['id']}"
    assert ntfy.keys() == {"topic", "title", "message", "priority", "sequence_id", "click"}, "and no Markdown or button"
    assert KEY not in json.dumps([slack, telegram, ntfy])


def _replace_evidence(connection: Any, run_id: int, keep: Any) -> None:
    connection.execute(artefacts.delete().where(artefacts.c.run_id == run_id))
    keep(connection)


async def test_what_did_not_help_is_told_at_once_and_its_end_too(scene: Scene) -> None:
    scene.stack.task.useless = True
    scene.stack.clutter()
    one = await scene.fires()
    await scene.stack.finished()
    await scene.later(40)
    [text] = scene.texts
    assert "sweep on attic (run 1) did not help (ineffective): measured again, it is no better: 3 files." in text
    assert "look at it yourself" in text
    await scene.later(60)
    await scene.ends(one)
    await scene.later(60)
    assert len(scene.texts) == 2
    assert scene.texts[1].startswith("The alert has ended, and Upkeeper did not end it: sweep on attic (run 1)")


async def test_what_helped_while_the_alert_goes_on_is_told(scene: Scene) -> None:
    scene.stack.clutter()
    await scene.fires()
    await scene.stack.finished()
    await scene.later(110)
    assert scene.texts == []
    await scene.later(30)
    [text] = scene.texts
    assert text.startswith(
        "sweep on attic (run 1) helped by its own measurement, and freed 3 B: 0 files. The alert still fires."
    )


async def test_a_plan_that_waits_is_told_with_how_to_answer(scene: Scene) -> None:
    scene.stack.remedies[0] = scene.stack.remedies[0].model_copy(update={"autonomy": "approve"})
    scene.stack.core.apply_settings(settings(scene.stack.task, scene.stack.remedies, scene.stack.core.config))
    scene.stack.clutter()
    one = await scene.fires()

    async def waits() -> bool:
        return (await scene.stack.core.approvals())["items"] != []

    await wait_until(waits, what="the plan to wait")
    await scene.later(40)
    [text] = scene.texts
    assert text.startswith("sweep on attic (run 1) has a plan and does nothing before you approve it: 3 actions.")
    assert "What it would do:\r\n- delete f0: planned" in text
    assert scene.mailbox.subjects[0].startswith("[warning] ")
    assert "`upkeeper approve 1` or `upkeeper deny 1` until 20" in text
    assert "Approve or deny: https://ops.example.org/up/console/approvals/1" in text
    await scene.ends(one)
    await scene.stack.finished()
    await scene.later(60)
    assert "Upkeeper did not end it: sweep on attic (run 1) was cancelled" in scene.texts[1]


async def test_a_guard_that_goes_on_blocking_is_told_and_one_that_does_not_is_not(scene: Scene) -> None:
    scene.stack.clutter()
    await scene.stack.core.pause(None, "new disk", 3600.0)
    await scene.fires()
    await scene.later(80)
    assert scene.texts == []
    await scene.later(30)
    [text] = scene.texts
    assert text.startswith("Upkeeper does nothing about it: all tasks are paused for another 1h: new disk")
    assert "(guard paused, 2027-01-15 08:00:00 UTC)" in text
    await scene.stack.core.resume(None)
    await scene.stack.pass_time(1)
    await scene.stack.finished()
    await scene.later(130)
    assert "helped by its own measurement" in scene.texts[1], "and what came later is told too"


async def test_nobody_is_told_the_sequel_of_what_he_never_heard(scene: Scene) -> None:
    """Alertmanager waits half a minute: what ended sooner it never told."""
    scene.stack.clutter()
    one = await scene.fires()
    await scene.stack.finished()
    await scene.later(20)
    await scene.ends(one)
    await scene.later(300)
    assert scene.texts == []


async def test_a_storm_is_one_message(scene: Scene) -> None:
    await scene.stack.core.pause(None, "new disk", 7200.0)
    for number in (1, 2):
        many = [told_alert(scene.stack.clock.now, storm=f"{number}", one=f"{each}") for each in range(40)]
        await scene.stack.receive(*many)
        await scene.later(120)
        told = (scene.texts, scene.posts.slack, scene.posts.telegram, scene.ntfy.published)
        assert [len(each) for each in told] == [number] * 4
    subject = scene.mailbox.subjects[1]
    assert subject == "[Upkeeper] 40 alerts on pa-host: 40 nothing is done"
    assert scene.texts[1].count("- attic: 3 files, and 0 are allowed <b>: Upkeeper does nothing about it") == 15
    assert "- and 25 more" in scene.texts[1]
    assert scene.texts[1].rstrip().endswith("All alerts: https://ops.example.org/up/console/alerts")


async def test_a_way_that_fails_holds_up_nothing_and_tells_later(scene: Scene) -> None:
    scene.posts.fails, scene.ntfy.fails = [500] * 4, [503, 429]
    scene.stack.task.useless = True
    scene.stack.clutter()
    await scene.fires()
    assert (await scene.stack.finished())[0]["outcome"] == "ineffective"
    await scene.later(40)
    assert (len(scene.texts), scene.posts.slack, scene.posts.telegram, scene.ntfy.published) == (1, [], [], [])
    assert {one.name for one in scene.stack.core.reach.ways if one.failing_since} == {"slack", "telegram", "ntfy"}
    await scene.later(400)
    told = (scene.texts, scene.posts.slack, scene.posts.telegram, scene.ntfy.published)
    assert [len(each) for each in told] == [1, 1, 1, 1], "and nothing more, as nothing was missed"
    assert not [one.name for one in scene.stack.core.reach.ways if one.failing_since]


async def test_what_a_way_never_told_it_says_when_it_works_again(scene: Scene) -> None:
    """Messages that are older than an hour are not told any more, and people hear that there were some."""
    stack, began = scene.stack, scene.stack.clock.now
    scene.ntfy.fails = [503] * 8  # for an hour, as the waits become longer
    stack.task.useless = True
    stack.clutter()
    one = await scene.fires()
    await stack.finished()
    await scene.later(40)
    status = await stack.core.status()
    [stands] = [way for way in status["ways"] if way["failing_since"]]
    assert (stands["name"], stands["reason"], stands["told_at"]) == ("ntfy", "ntfy answers 503", None)
    metrics = generate_latest(stack.core.registry).decode()
    assert 'upkeeper_telling_up{way="ntfy"} 0.0\n' in metrics
    assert 'upkeeper_telling_up{way="email"} 1.0\n' in metrics
    assert 'upkeeper_telling_failing_since_timestamp_seconds{way="email"}' not in metrics
    await scene.ends(one)
    await scene.later(3500)
    assert (scene.ntfy.published, scene.ntfy.fails) == ([], [])
    await scene.later(300)
    [again] = scene.ntfy.published
    assert (
        again["title"] == "[Upkeeper] pa-host: messages by ntfy arrive again, what became of 1 alert was not told here"
    )
    assert again["message"].startswith(
        "Since 2027-01-15 08:00:40 UTC 8 messages by ntfy failed (the last: ntfy answers 503), and what became of "
        "1 alert was not told here."
    )
    assert stack.clock.now - began < 2 * 3600
    await scene.later(3700)
    assert len(scene.ntfy.published) == 1, "once"
    assert not [way for way in (await stack.core.status())["ways"] if way["failing_since"]]


async def test_a_changed_config_is_tried_at_once(scene: Scene) -> None:
    scene.ntfy.fails = [503] * 5
    scene.stack.task.useless = True
    scene.stack.clutter()
    await scene.fires()
    await scene.stack.finished()
    await scene.later(500)  # the next try is minutes away
    scene.ntfy.fails.clear()
    config = scene.stack.core.config
    changed = config.notify.model_copy(update={"ntfy": config.notify.ntfy.model_copy(update={"topic": "other"})})
    config = config.model_copy(update={"notify": changed})
    scene.stack.core.apply_settings(settings(scene.stack.task, scene.stack.remedies, config))
    await scene.later(20)
    assert [one["topic"] for one in scene.ntfy.published] == ["other"]


@dataclass
class Odd:
    """A way that does what no way should."""

    name: str
    does: Callable[[], Awaitable[None]]
    tries: int = 0

    async def tell(self, message: Message, id: str) -> None:
        self.tries += 1
        await self.does()


async def test_whatever_a_way_does_the_others_tell(scene: Scene) -> None:
    async def raises() -> None:
        raise UnicodeEncodeError("ascii", "geheim\u20ac", 6, 7, "not ASCII")

    async def takes() -> None:
        return

    hangs, ended = asyncio.Event(), Odd("last", takes)
    odd = [Odd("raises", raises), Odd("hangs", AsyncMock(side_effect=hangs.wait)), ended]
    stack = scene.stack
    database, reach = stack.core._database, stack.core.reach
    scene.telling = Telling(database, lambda: stack.core.config, stack.clock, reach, lambda _: odd, patience=0.1)
    stack.task.useless = True
    stack.clutter()
    await scene.fires()
    await stack.finished()

    async def tries(*numbers: int) -> None:
        async def made() -> bool:
            return [one.tries for one in odd] == list(numbers)

        await wait_until(made, what=f"tries {numbers}")

    with capture_logs() as logged:
        await scene.later(40)
        await tries(1, 1, 1)
        await scene.later(40)
        await tries(2, 1, 1)  # half a minute later
        hangs.set()
        await scene.later(240)
        await tries(4, 1, 1)  # after one and two minutes
    [said] = [one for one in logged if one["event"] == "people cannot be told"]
    assert "UnicodeEncodeError in test_telling.py" in said["reason"]
    assert "geheim" not in str(said)


async def test_whoever_does_not_want_it_hears_nothing(scene: Scene) -> None:
    config = scene.stack.core.config
    no = {way: getattr(config.notify, way).model_copy(update={"outcomes": False}) for way in WAYS}
    config = config.model_copy(update={"notify": config.notify.model_copy(update=no)})
    scene.stack.core.apply_settings(settings(scene.stack.task, scene.stack.remedies, config))
    scene.stack.task.useless = True
    scene.stack.clutter()
    await scene.fires()
    await scene.stack.finished()
    await scene.later(100)
    assert (scene.texts, scene.posts.slack, scene.posts.telegram, scene.ntfy.published) == ([], [], [], [])
    assert (await scene.stack.core.status())["ways"] == []


@pytest.mark.parametrize(
    ("api", "taken"),
    [("http://bot.example.org", False), ("http://127.0.0.1:80", True), ("https://a.example.org", True)],
)
def test_a_token_is_not_sent_in_the_clear(api: str, taken: bool) -> None:
    telegram = {"bot_token_file": "/etc/token", "chat_id": 1, "api": api}
    if taken:
        assert Config.model_validate({"notify": {"telegram": telegram}}).notify.telegram
    else:
        with pytest.raises(ValueError, match="must begin with https"):
            Config.model_validate({"notify": {"telegram": telegram}})
