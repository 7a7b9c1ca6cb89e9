"""Text that anybody may have chosen is text on every page: no element, no attribute and no address comes of it."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from exporter.base.visible import visible_lines
from remediator.access.failures import Failures
from remediator.chat.links import Linked
from remediator.config.console import Console as Settings
from remediator.console.console import Console
from remediator.console.looks import LOOKS
from remediator.console.pages import PAGES
from remediator.console.people import People
from remediator.control.access import Grant
from remediator.model.errors import bad_request
from remediator.model.shapes.approvals import ApprovalDetail
from remediator.model.shapes.runs import RunView
from tests.helpers import long_form
from tests.remediator.console.hostile import Answers
from tests.remediator.console.visits import Browser

PLAIN = "plain"
HIDDEN = "\u202egpj.exe\u2066\u200b\x1b[2J\x00\x9b\u2028\ud800"
HOSTILE = [
    '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' style='x:expression(1)",
    "javascript:alert(1)",
    "//elsewhere.example/",
    "</pre></title></textarea></select></option></style><svg onload=alert(1)><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;&#60;<!-- ]]> `$(id)` \\",
    f"a{HIDDEN}b",
]
PATHS = [page.path.replace("{id}", "7") for page in PAGES] + [
    "/sessions",
    "/schedule?job=x",
    "/once/x",
    "/login?next=x",
]
FREE = {"value", "title", "href", "content", "label", "data-label"}
"""Attributes in which such text stands."""
ADDRESSES = {"href", "src", "action", "data-live"}


class Skeleton(HTMLParser):
    """A page without its text: its elements with their attributes in their order; and its text without the page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.sent: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple((name, None if name in FREE else value) for name, value in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ADDRESSES]
        back = tag in ("input", "option")
        if back and ("name", "csrf") not in attrs:
            assert tag != "option" or "value" in dict(attrs), "an option sends back what is shown of it"
            self.sent += [value or "" for name, value in attrs if name == "value"]
        self.texts += [value or "" for name, value in attrs if name in FREE and not (back and name == "value")]

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


class Refusing:
    """Each operation refuses, and says so in this text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        async def ask(*_: object, **__: object) -> Any:
            raise bad_request(self._text)

        return ask


@asynccontextmanager
async def console(ask: Any, text: str) -> AsyncIterator[Browser]:
    """The real console, its routes and its gate, on these answers; whose token is anybody's, and who he is."""

    async def grant_of(_: str) -> Grant:
        return Grant(text, "operator")

    async def shown(_: str) -> Linked:
        answers = ask if isinstance(ask, Answers) else Answers(text)
        return Linked(text, answers.made(ApprovalDetail), answers.made(RunView))

    printable = "".join(char for char in text if char.isprintable())[:60]
    oidc = {"name": printable, "issuer": "https://sso.example.org", "client_id": "up", "roles": {"x": "viewer"}}
    settings = Settings.model_validate({"url": "https://ops.example.org", "oidc": oidc})
    links: Any = SimpleNamespace(shown=shown)
    access: Any = SimpleNamespace(grant_of=grant_of)
    made = Console(ask, access, People(lambda: settings, None), links, Failures(), lambda: 1.8e9, lambda: 1)
    app = web.Application()
    made.add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield Browser(client)


async def pages(text: str, turn: int = 0) -> Mapping[str, str]:
    """Every page there is with this in every text, by its path."""
    found = {}
    encoded = sendable(text)
    async with console(Answers(text, turn), text) as browser:
        async with browser.client.post("/console/login", data={"token": "t"}, headers={"User-Agent": "x"}) as answer:
            assert answer.status == 200, await answer.text()
        for path in PATHS:
            shown = await browser.open(path)
            assert shown.status == 200, (path, shown.text)
            found[path] = shown.html
        csrf = (await browser.open("/tasks")).field("csrf")
        for path in LOOKS:
            shown = await browser.send(path, csrf=csrf, set="series/set", to=encoded or "x", only="a b")
            assert shown.status == 200, (path, shown.text)
            found[path] = shown.html
        found["/start, done"] = (await browser.send("/start", csrf=csrf, task=encoded, target=encoded)).html
        found["/answer, done"] = (
            await browser.send("/answer", csrf=csrf, id="7", verdict="deny", plan_hash=encoded, reason=encoded)
        ).html
    async with console(Refusing(text), text) as browser:
        await browser.log_in("t")
        for path in ("/runs/7", "/approvals", "/login?next=" + "x"):
            found[f"{path}, refused"] = (await browser.open(path)).html
    return found


def sendable(text: str) -> str:
    """What a form can send of it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def check(found: Mapping[str, str], plain: Mapping[str, str], text: str) -> None:
    shown = visible_lines(text)
    for path, html in found.items():
        page, wanted = Skeleton(html), Skeleton(plain[path])
        assert page.elements == wanted.elements, (path, text)
        back = [value.replace(PLAIN, sendable(text)) for value in wanted.sent]
        assert [value.replace("\0", "") for value in page.sent] == back, (path, text)
        for address in page.addresses:
            assert re.match(r"/console/|#|\?", address), (path, address)
            assert not re.search(r"[\s<>\"'\\]", address), (path, address)
        said = "\n".join(page.texts)
        if not path.startswith("/login"):  # which has a name of the config, not at any length
            assert said.count(shown) >= min(1, "\n".join(wanted.texts).count(PLAIN)), (path, text)
        hidden = [char for char in said if visible_lines(char) != char]
        assert not hidden, (path, hidden)


async def test_every_page_is_the_same_page_whatever_stands_in_its_texts() -> None:
    plain = await pages(PLAIN)
    assert sum(html.count(PLAIN) for html in plain.values()) > 500, "the pages show nothing of what they are given"
    for text in HOSTILE if long_form() else ["".join(HOSTILE[:2]) + HOSTILE[4], HOSTILE[2], HOSTILE[6]]:
        check(await pages(text), plain, text)


@pytest.mark.parametrize("turn", [1, 2, 3] if long_form() else [1])
async def test_in_other_states_too(turn: int) -> None:
    """Other outcomes, verdicts and states of all that is shown."""
    check(await pages(HOSTILE[0], turn), await pages(PLAIN, turn), HOSTILE[0])
