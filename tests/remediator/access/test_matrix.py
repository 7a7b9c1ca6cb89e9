"""Every route there is, by every method and by every writing of its path, without a credential, as viewer, as operator.

The routes are those of the application itself, so that a new one is in it. Instead of answering, the operations say
which of them was asked, and whatever they say has a mark: who may not see it must not find the mark anywhere.
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from remediator.access import failures
from remediator.api.operations import Operation
from remediator.api.parameters import answer
from remediator.app import build_app
from remediator.console.forms import FORMS
from remediator.console.looks import LOOKS
from remediator.console.sessions import Sessions
from remediator.control.core import Core
from tests.helpers import long_form
from tests.remediator.console.hostile import Answers
from tests.remediator.console.visits import Browser, token_of
from tests.remediator.stack import Stack

MARK = "m4rk-of-the-record"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
OPEN = {"/-/healthy", "/-/ready", "/metrics", "/console/login"}
"""What answers without a credential: the probes, the figures, and where one logs in. Not more: see ``is_open``."""


@dataclass
class House:
    """asked: the operations that were asked since it was emptied. plans: whether explanations were to plan, too."""

    client: TestClient[web.Request, web.Application]
    paths: Mapping[str, set[str]]
    """By path, the methods of its routes."""
    asked: list[Operation] = field(default_factory=list)
    plans: list[object] = field(default_factory=list)

    async def ask(self, method: str, path: str, **more: Any) -> tuple[ClientResponse, str]:
        # A path that begins with two slashes would be taken for the address of another host.
        at = str(self.client.make_url("/")).rstrip("/") + path if path.startswith("//") else self.client.make_url(path)
        async with self.client.session.request(method, at, allow_redirects=False, **more) as found:
            return found, (await found.read()).decode("utf-8", "replace")


def filled(canonical: str) -> str:
    """A path with something in each of its places."""
    return re.sub(r"\{[a-z]+\}", lambda place: {"{secret}": "x" * 22}.get(place[0], "1"), canonical)


@pytest.fixture
async def house(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(failures, "BURST", 10**6)
    app = build_app(stack.core, lambda: True)
    paths: dict[str, set[str]] = {}
    for route in app.router.routes():
        assert route.resource is not None
        paths.setdefault(filled(route.resource.canonical), set()).add(route.method)
    made = House(TestClient(TestServer(app)), paths)

    async def ask(_: Core, operation: Operation, values: Mapping[str, Any]) -> Any:
        made.asked.append(operation)
        if operation.name == "explain":
            made.plans.append(values.get("plan"))
        return Answers(MARK).made(answer(operation))

    monkeypatch.setattr(Core, "ask", ask)
    async with made.client:
        yield made


def is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/console/static/")


def writings(path: str) -> list[str]:
    """Other ways to write a path, some of which a router or a guard could take for it and the other not."""
    first = path[1:2]
    encoded = f"/%{ord(first):02x}{path[2:]}" if first else path
    return [
        f"{path}/", f"/{path}", path.upper(), encoded, path.replace("/", "%2F"), f"/x/..{path}", f"/.{path}",
        f"{path};x", f"{path}%00", f"{path}%2e", f"/console/..{path}", f"/console/..%2F{path[1:]}", f"/up{path}",
        f"{path}?token=operator&next={path}", path.replace("/v1/", "/V1/"), path.replace("/v1/", "/v1//"),
    ]  # fmt: skip


def check_refused(path: str, method: str, found: ClientResponse, body: str) -> None:
    """It is no page and no answer: a refusal, or the way to the login."""
    said = (method, path, found.status)
    assert MARK not in body, said
    assert found.status in (302, 303, 400, 401, 403, 404, 405, 415, 429), said
    if 300 <= found.status < 400:
        assert re.match(r"/console/(login(\?|$)|$)", found.headers["Location"]), (*said, found.headers["Location"])
    assert "upkeeper_" not in body, said


def check_headers(found: ClientResponse, said: object) -> None:
    assert found.headers["X-Frame-Options"] == "DENY", said
    assert "frame-ancestors 'none'" in found.headers["Content-Security-Policy"], said
    assert found.headers["X-Content-Type-Options"] == "nosniff", said
    if found.status != 200 or "/static/" not in found.url.path:
        assert found.headers["Cache-Control"] == "no-store", said


async def test_without_a_credential_nothing_answers_but_the_login(house: House) -> None:
    assert len(house.paths) > 70
    for path in house.paths:
        for method in METHODS:
            found, body = await house.ask(method, path)
            check_headers(found, (method, path))
            if not is_open(path) or method not in ("GET", "HEAD", "POST"):
                check_refused(path, method, found, body)
        for other in writings(path)[:: 1 if long_form() else 3]:
            found, body = await house.ask("GET", other)
            if not is_open(other.partition("?")[0]) and not (path in OPEN and found.status == 200):
                check_refused(other, "GET", found, body)
    assert not house.asked, "an operation was asked for nobody"


@pytest.mark.parametrize("token", ["wrong", "", "a b", "\u00e9"])
async def test_a_wrong_credential_is_none(house: House, token: str) -> None:
    for path in [path for path in house.paths if not is_open(path)][::5]:
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"upkeeper-session={token or 'x'}"}
        found, body = await house.ask("GET", path, headers=headers)
        check_refused(path, "GET", found, body)
    assert not house.asked


async def test_a_viewer_sees_and_asks_for_nothing_that_acts(stack: Stack, house: House) -> None:
    token = await token_of(stack, "viewer")
    headers = {"Authorization": f"Bearer {token}"}
    shown = await Browser(house.client).log_in(token)
    csrf = shown.field("csrf")
    assert MARK in shown.html, "the mark is on no page"
    for path, methods in house.paths.items():
        for method in {"GET", *(each for each in methods if each not in ("*", "GET"))}:
            if path in ("/console/logout", "/console/events"):
                continue
            data = {"csrf": csrf, "for": "1h", "id": "1", "verdict": "approve", "number": "1"}
            more = {"data": data} if method == "POST" and path.startswith("/console/") else {}
            found, _ = await house.ask(method, path, headers=headers, **more)
            check_headers(found, (method, path))
            assert found.status < 500, (method, path)
    acted = {operation.name for operation in house.asked if operation.role != "viewer"}
    assert acted == {"explain"}, "the page of an alert says what would be decided, which only reads"
    assert set(house.plans) == {False}, "and no task is asked to look at the machine for it"
    assert len({operation.name for operation in house.asked}) > 20


async def test_an_operator_may_all_and_by_a_form_only_with_its_secret(stack: Stack, house: House) -> None:
    token = await token_of(stack, "operator")
    shown = await Browser(house.client).log_in(token)
    csrf = shown.field("csrf")
    forms = {
        path: methods for path, methods in house.paths.items() if path.startswith("/console/") and "POST" in methods
    }
    assert set(forms) >= {f"/console{path}" for path in (*FORMS, *LOOKS)}
    data = {"for": "1h", "id": "1", "verdict": "approve", "number": "77", "task": "t", "target": "t"}
    data |= {"set": "a/b", "to": "c", "autonomy": "auto", "sure": "yes"}
    ways: list[tuple[str, Mapping[str, str], bool]] = [
        ("", {}, False),
        ("x", {}, False),
        (csrf, {"Sec-Fetch-Site": "cross-site"}, False),
        (csrf, {"Sec-Fetch-Site": "same-site"}, False),
        (csrf, {"Origin": "https://evil.example"}, False),
        (csrf, {"Origin": "null"}, False),
        (csrf, {}, True),
        (csrf, {"Sec-Fetch-Site": "same-origin"}, True),
    ]
    for path in forms:
        if path.rpartition("/")[2] in ("login", "logout") or "/once/" in path:
            continue
        for secret, headers, counts in ways:
            house.asked.clear()
            found, _ = await house.ask("POST", path, data={**data, "csrf": secret}, headers=headers)
            assert found.status in (200, 303), (path, secret, headers)
            acted = [operation.name for operation in house.asked]
            if path != "/console/sessions/end":
                assert bool(acted) is counts, (path, secret, headers, acted)


async def test_a_session_is_of_our_making_alone(stack: Stack, house: House) -> None:
    """Fixation: a cookie that a client brings is not taken up, and each login gives another one."""
    token = await token_of(stack, "operator")
    brought = "x" * 43
    for _ in range(2):
        headers = {"Cookie": f"upkeeper-session={brought}"}
        found, _ = await house.ask("POST", "/console/login", data={"token": token}, headers=headers)
        assert found.cookies["upkeeper-session"].value not in (brought, "")
        brought = found.cookies["upkeeper-session"].value
    sessions = Sessions(lambda: 0.0)
    assert sessions.begin("t", "anna", "b", "a") != sessions.begin("t", "anna", "b", "a")
    assert sessions.of(brought) is None
