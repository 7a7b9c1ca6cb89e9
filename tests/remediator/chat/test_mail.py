"""Approvals by the link of a mail, which a real SMTP server takes."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from remediator.access import failures
from remediator.app import build_app
from remediator.chat.channel import Channel
from remediator.chat.mail import Mail
from remediator.config.config import Config
from remediator.config.notify import Email
from tests.alertmanager.mailbox import Mailbox, served
from tests.remediator.chat.scene import Scene, a_scene
from tests.remediator.console.visits import Browser
from tests.remediator.stack import Stack


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with served(Mailbox(), login=False) as made:
        yield made


def texts(mailbox: Mailbox) -> dict[int, str]:
    return {number: mail.get_content() for number, (_, mail) in enumerate(mailbox.mails, 1)}


@pytest.fixture
async def scene(stack: Stack, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    email = Email.model_validate(
        {"to": "all@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
    )

    def make(config: Config) -> list[Channel]:
        return [Mail(config.chats.mail, email, str(config.console.url))] if config.chats.mail else []

    section = {"mail": {"approvers": {"anna@example.org": "anna", "bob@example.org": "bob"}}}
    more = {"notify": {"email": email.model_dump(by_alias=True, exclude_none=True)}}
    async with a_scene(stack, monkeypatch, section, make, lambda: texts(mailbox), more) as made:
        yield made


@pytest.fixture
async def browser(scene: Scene) -> AsyncIterator[Browser]:
    async with TestClient(TestServer(build_app(scene.stack.core, lambda: True))) as client:
        yield Browser(client)


def link(mailbox: Mailbox, to: str) -> str:
    """The path of the page that the newest mail to somebody leads to, below the console's."""
    *_, text = (mail.get_content() for recipients, mail in mailbox.mails if recipients == [to])
    found = re.search(r"^https://ops\.example\.org/up/console(/once/\S+)\s*$", text, re.MULTILINE)
    assert found, text
    return found[1]


async def test_a_link_shows_and_only_a_form_acts_once(scene: Scene, mailbox: Mailbox, browser: Browser) -> None:
    await scene.asks(2)
    assert sorted(recipients[0] for recipients, _ in mailbox.mails) == ["anna@example.org", "bob@example.org"]
    assert "- delete f0" in texts(mailbox)[1]
    path = link(mailbox, "anna@example.org")
    for _ in range(3):  # as programs that look at links do
        shown = await browser.open(path)
        assert "You answer as anna for exactly this plan" in shown.text
    assert await scene.state() == "asked"
    assert (await browser.send(path, verdict="perhaps")).status == 400
    async with browser.client.post(
        f"/console{path}", data={"verdict": "approve"}, headers={"Sec-Fetch-Site": "cross-site"}
    ) as answer:
        assert answer.status == 403
    assert await scene.state() == "asked"
    shown = await browser.send(path, verdict="approve", reason="looked at it")
    assert (shown.status, "approved by chat anna" in shown.text) == (200, True)
    for other in (path, link(mailbox, "bob@example.org")):
        late = await browser.send(other, verdict="deny")
        assert (late.status, "is over: approved by anna" in late.text) == (409, True)
        assert "verdict" not in (await browser.open(other)).html
    assert (await scene.ended())["outcome"] == "effective"
    assert (await scene.stack.core.approval(1))["reason"] == "looked at it"
    assert "effective" in (await browser.open(path)).text, "the link shows what came of it"
    assert (await browser.open("/")).path == "/up/console/login", "a link has opened more than its page"


async def test_a_link_that_is_wrong_or_of_somebody_no_longer_named_shows_nothing(
    scene: Scene, mailbox: Mailbox, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "INTERVAL", 3600.0)  # a busy machine would be let off meanwhile
    await scene.asks(2)
    for path in ("/once/wrong", "/once/" + "x" * 3000):
        assert (await browser.open(path)).status == 404
        assert (await browser.send(path, verdict="approve")).status == 404
    chats = scene.config.chats.mail
    assert chats is not None
    del chats.approvers["anna@example.org"]
    gone = await browser.open(link(mailbox, "anna@example.org"))
    assert (gone.status, "attic" in gone.text) == (404, False)
    for _ in range(failures.BURST):
        status = (await browser.open("/once/wrong")).status
    assert status == 429
    assert (await browser.open(link(mailbox, "bob@example.org"))).status == 200, "a right one is locked out"
