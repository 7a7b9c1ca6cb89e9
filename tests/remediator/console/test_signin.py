"""Login by an OpenID Connect provider: one of the tests, which signs real tokens."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from yarl import URL

from remediator.app import build_app
from remediator.config.config import Config
from remediator.console.gate import COOKIE
from remediator.oidc import provider as providers
from remediator.oidc import underway
from remediator.oidc.underway import LASTS
from tests.remediator.console.visits import Shown
from tests.remediator.oidc.provider_stand_in import CLIENT, OTHER, SECRET, Change, Provider, provider, signed
from tests.remediator.stack import Stack, settings

ROLES = {"ops": "operator", "staff": "viewer"}


@pytest.fixture
async def sso() -> AsyncIterator[Provider]:
    async with provider() as made:
        yield made


@dataclass
class Visitor:
    """A browser with cookies of its own. begin, back: the two halves of a login, between which something may happen."""

    url: str
    session: ClientSession

    async def open(self, path: str, **headers: str) -> Shown:
        async with self.session.get(path if path.startswith("http") else self.url + path, headers=headers) as answer:
            return Shown(answer.status, answer.url.path, await answer.text())

    async def begin(self, onward: str = "/console/runs") -> str:
        """Goes to the provider, who logs in; the address to which it sends back."""
        path = f"{self.url}/console/oidc/login?next={onward}"
        async with self.session.get(path, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            there = answer.headers["Location"]
        async with self.session.get(there, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def log_in(self) -> Shown:
        return await self.open(await self.begin())

    async def is_in(self) -> bool:
        return (await self.open("/console/")).path == "/console/"


@dataclass
class Scene:
    stack: Stack
    sso: Provider
    url: str
    secret: Path

    def allow(self, **oidc: Any) -> None:
        """Puts a config with these settings of the provider in force."""
        given = {
            "issuer": self.sso.url, "client_id": CLIENT, "client_secret_file": str(self.secret), "roles": ROLES, **oidc,
        }  # fmt: skip
        document = {"remediator": {"ballast": 0}, "console": {"url": self.url, "oidc": given}}
        self.put(document)

    def put(self, document: dict[str, Any]) -> None:
        config = Config.model_validate(document)
        self.stack.core.apply_settings(settings(self.stack.task, self.stack.remedies, config))

    def visitor(self) -> Visitor:
        return Visitor(self.url, ClientSession(cookie_jar=CookieJar(unsafe=True)))


@pytest.fixture
async def scene(stack: Stack, sso: Provider, tmp_path: Path) -> AsyncIterator[Scene]:
    stack.clock.now = time.time()
    (tmp_path / "secret").write_text(SECRET + "\n")
    async with TestServer(build_app(stack.core, lambda: True)) as server:
        made = Scene(stack, sso, str(server.make_url("")).rstrip("/"), tmp_path / "secret")
        made.allow()
        yield made


@pytest.fixture
async def anna(scene: Scene) -> AsyncIterator[Visitor]:
    made = scene.visitor()
    async with made.session:
        yield made


@pytest.fixture
async def eve(scene: Scene) -> AsyncIterator[Visitor]:
    made = scene.visitor()
    async with made.session:
        yield made


async def test_whom_the_provider_names_is_let_in_and_what_he_does_is_recorded(scene: Scene, anna: Visitor) -> None:
    login = await anna.open("/console/login?next=/console/runs")
    assert "Log in with single sign-on" in login.text
    assert "/console/oidc/login?next=/console/runs" in login.links()
    async with anna.session.get(await anna.begin()) as answer:
        cookie, html = answer.cookies[COOKIE], await answer.text()
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert answer.cookies["upkeeper-login"].value == "", "what bound the login to the browser is still there"
    # From the provider's site the session's cookie would be kept back: a page of ours goes on.
    assert '<meta http-equiv="refresh" content="0;url=/console/runs">' in html
    assert "anna by single sign-on" in (await anna.open("/console/sessions")).text
    page = await anna.open("/console/")
    data = {"csrf": page.field("csrf"), "for": "1h", "reason": "moving"}
    async with anna.session.post(f"{scene.url}/console/pause", data=data) as answer:
        assert answer.status == 200
    [pause] = (await scene.stack.core.status())["paused"]
    assert pause["caller"] == {"trigger": "console", "name": "anna"}


async def test_who_is_in_none_of_the_groups_is_not_let_in(scene: Scene) -> None:
    for groups, may in (
        (["staff", "ops"], "operator"), (["staff"], "viewer"), ("ops", "operator"), (["other"], None), ([], None),
        (None, None), ({"ops": True}, None), (["OPS"], None), ([["ops"]], None),
    ):  # fmt: skip
        scene.sso.user = {"sub": "7", "preferred_username": "anna", "groups": groups}
        async with scene.visitor().session as session:
            anna = Visitor(scene.url, session)
            shown = await anna.log_in()
            assert (shown.status, await anna.is_in()) == ((403, False) if may is None else (200, True)), groups
            if may is not None:
                page = await anna.open("/console/")
                async with session.post(f"{scene.url}/console/pause", data={"csrf": page.field("csrf")}) as answer:
                    assert ("may look and not act" in await answer.text()) == (may == "viewer"), groups


async def test_what_is_not_in_the_token_the_provider_is_asked_for(scene: Scene, anna: Visitor, eve: Visitor) -> None:
    scene.sso.user = {"sub": "7"}
    scene.sso.userinfo = {"sub": "7", "preferred_username": "anna", "groups": ["ops"]}
    await anna.log_in()
    assert "anna by single sign-on" in (await anna.open("/console/sessions")).text
    scene.sso.userinfo = {**scene.sso.userinfo, "sub": "8"}
    assert "tells of somebody else" in (await eve.log_in()).text
    assert not await eve.is_in()


async def test_a_token_that_is_not_for_this_login_or_not_the_providers_lets_nobody_in(
    scene: Scene, anna: Visitor
) -> None:
    changes: dict[str, Change] = {
        "not for this login (Invalid claim: 'iss')": lambda claims: claims.update(iss="https://evil.example.org"),
        "not for this login (Invalid claim: 'aud')": lambda claims: claims.update(aud="other"),
        "not for this login (Invalid claim: 'nonce')": lambda claims: claims.update(nonce="of another login"),
        "has expired": lambda claims: claims.update(exp=claims["iat"] - 100),
        "issued in the future": lambda claims: claims.update(iat=claims["iat"] + 1000),
    }
    for says, scene.sso.change in changes.items():
        shown = await anna.log_in()
        assert (shown.status, says in shown.text.replace("invalid_claim: Invalid claim: ", "")) == (403, True), (
            shown.text
        )
        assert "A token lets you in as before" in shown.text
        assert not await anna.is_in()
    scene.sso.change = lambda claims: None
    scene.sso.token = lambda claims: signed(claims, OTHER)
    assert "not one that the provider has signed" in (await anna.log_in()).text
    assert not await anna.is_in()


async def test_a_login_comes_back_once_and_to_the_browser_in_which_it_began(
    scene: Scene, anna: Visitor, eve: Visitor
) -> None:
    for back in (
        "/console/oidc/back",
        "/console/oidc/back?code=x&state=y",
        "/console/oidc/back?code=%FF&state=%FF&state=1",
    ):
        assert "did not begin in this browser" in (await eve.open(back)).text
    of_eve = await eve.begin()
    assert "did not begin in this browser" in (await anna.open(of_eve)).text, "somebody is logged in as another"
    of_anna = await anna.begin()
    assert "did not begin in this browser" in (await anna.open(of_eve)).text
    [code_of_eve], [code_of_anna] = (re.findall(r"code=([^&]*)", each) for each in (of_eve, of_anna))
    injected = await eve.open(of_eve.replace(code_of_eve, code_of_anna))
    assert "invalid_grant" in injected.text, "a code was taken whose verifier is another's"
    assert not await eve.is_in()
    scene.sso.calls.clear()
    assert "did not begin in this browser" in (await eve.open(of_eve)).text, "a state counts twice"
    assert scene.sso.calls == [], "a code was used that came with a state that was used before"


async def test_a_login_that_takes_too_long_is_over(scene: Scene, anna: Visitor) -> None:
    back = await anna.begin()
    scene.stack.clock.now += LASTS
    assert "took too long" in (await anna.open(back)).text
    assert not await anna.is_in()


async def test_a_session_that_was_there_before_is_not_taken_up(scene: Scene, anna: Visitor) -> None:
    anna.session.cookie_jar.update_cookies({COOKIE: "of-the-attacker"}, URL(scene.url))
    await anna.log_in()
    [first] = [each.value for each in anna.session.cookie_jar if each.key == COOKIE]
    await anna.log_in()
    [second] = [each.value for each in anna.session.cookie_jar if each.key == COOKIE]
    assert len({"of-the-attacker", first, second}) == 3
    assert (await anna.open("/console/sessions")).html.count("/console/sessions/end") == 1


async def test_only_a_page_of_ours_begins_a_login_and_goes_on_to_one_of_ours(scene: Scene, anna: Visitor) -> None:
    path = "/console/oidc/login?next=https://evil.example.org/"
    assert (await anna.open(path, **{"Sec-Fetch-Site": "cross-site"})).path == "/console/login"
    assert scene.sso.calls == []
    shown = await anna.open(await anna.begin("https://evil.example.org/"))
    assert 'content="0;url=/console/"' in shown.html


async def test_what_the_config_no_longer_says_ends_the_session(scene: Scene, anna: Visitor) -> None:
    await anna.log_in()
    assert await anna.is_in()
    scene.allow(roles={"others": "viewer"})
    assert not await anna.is_in()
    scene.allow()
    await anna.log_in()
    scene.allow(client_id="another")
    assert not await anna.is_in()
    scene.allow()
    await anna.log_in()
    scene.put({"remediator": {"ballast": 0}, "console": {"url": scene.url}})
    assert not await anna.is_in()
    assert "Log in with" not in (await anna.open("/console/login")).text
    assert (await anna.open("/console/oidc/login")).path == "/console/login"


async def test_a_provider_that_fails_is_told_and_a_token_lets_in_as_before(
    scene: Scene, anna: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "KEPT", 0.0)
    for path, status in (("/.well-known/openid-configuration", 502), ("/token", 403), ("/keys", 403)):
        with structlog.testing.capture_logs() as logs:
            back = await anna.begin() if status == 403 else "/console/oidc/login"
            scene.sso.fails = {path: 500}
            shown = await anna.open(back)
        assert (shown.status, "the provider refuses" in shown.text) == (status, True), shown.text
        assert "single sign-on refused" in [each["event"] for each in logs]
        assert SECRET not in str(logs) + shown.html
        assert not await anna.is_in()
        scene.sso.fails = {}
        scene.allow(name=f"again after {path}")
    token = scene.stack.core.state.operator_token.read_text().strip()
    async with anna.session.post(f"{scene.url}/console/login", data={"token": token}) as answer:
        assert answer.url.path == "/console/"


async def test_a_provider_that_is_not_there_is_asked_again_later(
    scene: Scene, anna: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "AGAIN", 0.0)
    scene.allow(issuer="http://127.0.0.1:9")
    shown = await anna.open("/console/oidc/login")
    assert (shown.status, "cannot reach the provider at http://127.0.0.1:9" in shown.text) == (502, True)
    scene.sso.fails["/.well-known/openid-configuration"] = 503
    scene.allow()
    assert (await anna.open("/console/oidc/login")).status == 502
    scene.sso.fails.clear()
    await anna.log_in()
    assert await anna.is_in()


async def test_a_provider_that_is_another_or_not_safe_is_not_gone_to(
    scene: Scene, anna: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "AGAIN", 0.0)
    monkeypatch.setattr(providers, "KEPT", 0.0)
    for scene.sso.document, says in (
        ({"issuer": "https://evil.example.org"}, "names itself otherwise"),
        ({"authorization_endpoint": "http://sso.example.org/"}, "without TLS"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "names no authorization_endpoint"),
        ({"authorization_endpoint": "https://h/\r\nX: y"}, "names no authorization_endpoint"),
        ({"authorization_endpoint": None}, "names no authorization_endpoint"),
    ):
        shown = await anna.open("/console/oidc/login")
        assert (shown.status, says in shown.text) == (502, True), shown.text


async def test_another_provider_that_answers_is_noticed(scene: Scene, anna: Visitor) -> None:
    scene.sso.more = {"iss": "https://evil.example.org"}
    assert "another provider answers" in (await anna.log_in()).text
    scene.sso.more = {"iss": scene.sso.url}
    await anna.log_in()
    assert await anna.is_in()


async def test_whom_the_provider_refuses_reads_why_as_text(scene: Scene, anna: Visitor) -> None:
    for given, says in (("access_denied", "access_denied"), ("<script>x</script>", "no code")):
        state = re.findall(r"state=([^&]*)", await anna.begin())[0]
        shown = await anna.open(f"/console/oidc/back?state={state}&error={given}")
        assert (shown.status, f"lets nobody in: {says}" in shown.text, "<script>x" in shown.html) == (403, True, False)


async def test_without_the_library_it_says_what_to_install(
    scene: Scene, anna: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "find_spec", lambda name: None)
    assert "pip install 'upkeeper[oidc]'" in (await anna.open("/console/oidc/login")).text


async def test_who_begins_many_logins_does_not_fill_the_memory(
    scene: Scene, anna: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(underway, "MOST", 3)
    back = await anna.begin()
    async with scene.visitor().session as eve:
        for _ in range(3):
            async with eve.get(f"{scene.url}/console/oidc/login", allow_redirects=False) as answer:
                assert answer.status == 303
    assert "took too long" in (await anna.open(back)).text
