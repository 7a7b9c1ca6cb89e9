"""What became of alerts reaches people: by a real SMTP server, and by stand-ins for Slack's webhook and Telegram."""

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
from tests.remediator.stack import START, Stack, alert, settings

SUMMARY = "attic: 3 files, and 0 are allowed <b>"
WAYS = ("email", "slack", "telegram")
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
    async with answering(posts.take) as api:
        (tmp_path / "slack").write_text(f"{api}/services/T/B/x\n")
        (tmp_path / "token").write_text("123:geheim\n")
        notify = {
            "host": "pa-host",
            "email": {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address,
                      "require_tls": False},
            "slack": {"webhook_url_file": str(tmp_path / "slack"), "channel": "#ops"},
            "telegram": {"bot_token_file": str(tmp_path / "token"), "chat_id": -7, "api": api},
        }  # fmt: skip
        document = {"remediator": {"ballast": 0}, "schedule": {"jobs": []}, "notify": notify}
        config = Config.model_validate(document | {"console": {"url": "https://ops.example.org/up"}})
        stack.core.apply_settings(settings(stack.task, stack.remedies, config))
        yield Scene(
            stack, Telling(stack.core._database, lambda: stack.core.config, stack.clock, patience=30.0), mailbox, posts
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
    assert KEY not in json.dumps([slack, telegram])


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
        assert len(scene.texts) == len(scene.posts.slack) == len(scene.posts.telegram) == number
    subject = scene.mailbox.subjects[1]
    assert subject == "[Upkeeper] 40 alerts on pa-host: 40 nothing is done"
    assert scene.texts[1].count("- attic: 3 files, and 0 are allowed <b>: Upkeeper does nothing about it") == 15
    assert "- and 25 more" in scene.texts[1]
    assert scene.texts[1].rstrip().endswith("All alerts: https://ops.example.org/up/console/alerts")


async def test_a_way_that_fails_holds_up_nothing_and_tells_later(scene: Scene) -> None:
    scene.posts.fails = [500] * 4
    scene.stack.task.useless = True
    scene.stack.clutter()
    await scene.fires()
    assert (await scene.stack.finished())[0]["outcome"] == "ineffective"
    await scene.later(40)
    assert (len(scene.texts), scene.posts.slack, scene.posts.telegram) == (1, [], [])
    await scene.later(400)
    assert (len(scene.texts), len(scene.posts.slack), len(scene.posts.telegram)) == (1, 1, 1)


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
    scene.telling = Telling(stack.core._database, lambda: stack.core.config, stack.clock, lambda _: odd, patience=0.1)
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
    assert (scene.texts, scene.posts.slack, scene.posts.telegram) == ([], [], [])


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
