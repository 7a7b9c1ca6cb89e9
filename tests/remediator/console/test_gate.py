"""Who is let in to the console, and whose forms are taken."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from exporter.web.front import Front
from remediator.access import failures
from remediator.app import build_app
from remediator.config.config import Config
from remediator.config.console import Console
from remediator.console.forms import FORMS
from remediator.console.gate import COOKIE
from remediator.console.pages import PAGES
from remediator.console.people import People
from remediator.console.sessions import IDLE
from remediator.console.static import BASE
from tests.remediator.console.visits import Browser, token_of
from tests.remediator.stack import Stack, alert, settings

PATHS = [page.path.replace("{id}", "1") for page in PAGES] + ["/sessions", "/events"]


@pytest.mark.parametrize("cookie", ["", "x" * 43, "\u00e4"])
async def test_no_page_without_a_login(browser: Browser, cookie: str) -> None:
    for path in PATHS:
        headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
        async with browser.client.get("/console" + path, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 303, path
            assert answer.headers["Location"].startswith("/console/login?next=/console"), path
    for path in [*FORMS, "/logout", "/sessions/end"]:
        async with browser.client.post("/console" + path, allow_redirects=False) as answer:
            assert answer.status == 303, path
            assert answer.headers["Location"] == "/console/login?next=/console/", path


async def test_the_address_alone_leads_to_the_console(browser: Browser) -> None:
    for path in ("/", "/console"):
        async with browser.client.get(path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "/console/")


async def test_a_token_gives_a_cookie_that_no_script_and_no_other_site_can_use(stack: Stack, browser: Browser) -> None:
    token = await token_of(stack, "operator")
    async with browser.client.post("/console/login", data={"token": token}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/console/")
        cookie = answer.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert not cookie["secure"]
        assert token not in cookie.value
    assert (await browser.open("/")).path == "/console/"


async def test_over_tls_the_cookie_goes_nowhere_else(stack: Stack) -> None:
    async with TestClient(TestServer(build_app(stack.core, lambda: True, tls=True))) as client:
        data = {"token": await token_of(stack, "operator")}
        async with client.post("/console/login", data=data, allow_redirects=False) as answer:
            cookie = answer.cookies[f"__Host-{COOKIE}"]
            assert cookie["secure"]


async def test_a_session_that_a_client_brings_is_not_taken_up(stack: Stack, browser: Browser) -> None:
    token = await token_of(stack, "operator")
    await browser.log_in(token)
    [before] = [cookie.value for cookie in browser.client.session.cookie_jar]
    await browser.log_in(token)
    [after] = [cookie.value for cookie in browser.client.session.cookie_jar]
    assert before != after
    shown = await browser.open("/sessions")
    assert shown.text.count("this one") == 1
    assert shown.html.count("/console/sessions/end") == 1, "the session before the login goes on"


@pytest.mark.parametrize("token", ["", " ", "wrong", "x" * 5000, "\u00e4\u20ac", "a\0b"])
async def test_a_wrong_token_opens_nothing(browser: Browser, token: str) -> None:
    shown = await browser.log_in(token)
    assert shown.status == 401
    assert "That token is not valid." in shown.text
    assert (await browser.open("/")).path == "/console/login"


async def test_who_tries_many_has_to_wait(stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "INTERVAL", 3600.0)  # a busy machine would be let off meanwhile
    for _ in range(failures.BURST):
        assert (await browser.log_in("wrong")).status == 401
    shown = await browser.log_in("wrong")
    assert shown.status == 429
    assert re.search(r"Too many wrong tokens from this address; wait \d+ s", shown.text)
    assert (await browser.log_in(await token_of(stack, "viewer"))).path == "/console/", "a right one is locked out"


async def test_alertmanagers_token_is_for_alerts(stack: Stack, browser: Browser) -> None:
    shown = await browser.log_in(await token_of(stack, "alertmanager"))
    assert shown.status == 403
    assert "is for Alertmanager" in shown.text
    assert (await browser.open("/")).path == "/console/login"


@pytest.mark.parametrize(
    ("given", "onward"),
    [
        ("/console/runs?before=3", "/console/runs"),
        ("/console/", "/console/"),
        ("https://elsewhere.example/console/", "/console/"),
        ("//elsewhere.example/console/", "/console/"),
        ("/console/\\elsewhere.example", "/console/"),
        ("/metrics", "/console/"),
        ("/console/../metrics", "/console/"),
        ("javascript:alert(1)", "/console/"),
        ("/console/\r\nX: y", "/console/"),
        ("", "/console/"),
    ],
)
async def test_after_the_login_only_a_page_of_ours_is_opened(
    stack: Stack, browser: Browser, given: str, onward: str
) -> None:
    shown = await browser.send("/login", token=await token_of(stack, "viewer"), next=given)
    assert (shown.status, shown.path) == (200, onward)


async def test_a_link_in_a_mail_finds_the_session(stack: Stack, browser: Browser) -> None:
    """Browsers keep a SameSite=Strict cookie back when another site, such as web mail, has the link."""
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with browser.client.get("/console/runs?before=7", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 200
        assert '<meta http-equiv="refresh" content="0;url=/console/runs?before=7">' in await answer.text()


async def test_logging_out_ends_the_session_on_the_server(stack: Stack, browser: Browser) -> None:
    shown = await browser.log_in(await token_of(stack, "viewer"))
    [cookie] = [cookie.value for cookie in browser.client.session.cookie_jar]
    shown = await browser.send("/logout", csrf=shown.field("csrf"))
    assert shown.path == "/console/login"
    browser.client.session.cookie_jar.update_cookies({COOKIE: cookie})
    assert (await browser.open("/")).path == "/console/login"


async def test_a_revoked_token_ends_its_sessions(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    assert (await browser.open("/")).path == "/console/"
    await stack.core.access.revoke_token("viewer-1")
    assert (await browser.open("/")).path == "/console/login"


async def test_an_operator_ends_the_session_of_another(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    async with TestClient(browser.client.server) as second:
        operator = Browser(second)
        await operator.log_in(await token_of(stack, "operator"))
        listed = await operator.open("/sessions")
        [other] = re.findall(r'viewer-1 (?:(?!</tr>).)*?name="number" value="(\d+)"', listed.html, re.DOTALL)
        csrf = listed.field("csrf")
        assert (await browser.open("/")).path == "/console/"
        ended = await operator.send("/sessions/end", number=other, csrf=csrf, back="/sessions")
        assert ended.path == "/console/sessions"
        assert (await browser.open("/")).path == "/console/login"
        assert (await operator.open("/")).path == "/console/"


async def test_a_page_that_is_left_open_does_not_keep_its_session(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    stack.clock.now += IDLE - 1
    assert (await browser.open("/", **{"HX-Request": "true"})).path == "/console/"
    stack.clock.now += 2
    assert (await browser.open("/")).path == "/console/login"


@pytest.mark.parametrize("how", ["no csrf", "wrong csrf", "another site", "another origin", "viewer"])
async def test_a_form_that_is_not_ours_does_nothing(stack: Stack, browser: Browser, how: str) -> None:
    stack.clutter(1)
    shown = await browser.log_in(await token_of(stack, "viewer" if how == "viewer" else "operator"))
    fields = {"task": "sweep", "target": "attic", "for": "1h", "reason": "x", "remedy": "tidy", "id": "1"}
    if how != "no csrf":
        fields["csrf"] = "wrong" if how == "wrong csrf" else shown.field("csrf")
    headers = {"another site": {"Sec-Fetch-Site": "cross-site"}, "another origin": {"Origin": "https://evil.example"}}
    for path in [*FORMS, "/sessions/end"]:
        async with browser.client.post("/console" + path, data=fields, headers=headers.get(how, {})) as answer:
            assert "nothing was done" in await answer.text(), path
            assert answer.status == 200
    assert not (await stack.core.runs())["items"]
    assert not (await stack.core.status())["paused"]
    assert (await browser.open("/sessions")).status == 200


async def test_a_login_from_another_site_is_not_taken(stack: Stack, browser: Browser) -> None:
    data = {"token": await token_of(stack, "operator")}
    async with browser.client.post(
        "/console/login", data=data, headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False
    ) as answer:
        assert answer.status == 403
        assert not answer.cookies


async def test_every_page_says_what_it_may_load_and_that_nobody_may_frame_or_keep_it(
    stack: Stack, browser: Browser
) -> None:
    await stack.receive(alert())
    await stack.finished(1)
    await browser.log_in(await token_of(stack, "operator"))
    for path in [*[path for path in PATHS if path != "/events"], "/login"]:
        async with browser.client.get("/console" + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            html = await answer.text()
            assert not re.search(r"\son[a-z]+\s*=|\sstyle\s*=|<style|<script(?! src=)", html), path
            assert not re.search(r"""(src|href)=["'](https?:)?//""", html), "it loads from elsewhere"


@dataclass
class WithUsers:
    """A remediator with a web config of two users, anna and bob, whose password is ``attic``."""

    stack: Stack
    web_config: Path
    front: Front
    browser: Browser

    def allow(self, **console: object) -> Browser:
        """Puts this section of the config in force."""
        config = Config.model_validate({"remediator": {"ballast": 0}, "console": console})
        self.stack.core.apply_settings(settings(self.stack.task, self.stack.remedies, config))
        return self.browser

    async def change_password(self, password: str) -> None:
        write_users(self.web_config, password)
        await self.front.look()


def write_users(path: Path, password: str) -> None:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users: {{anna: '{hashed}', bob: '{hashed}'}}\n")


@pytest.fixture
async def with_users(stack: Stack, tmp_path: Path) -> AsyncIterator[WithUsers]:
    web_config = tmp_path / "web.yml"
    write_users(web_config, "attic")
    front = Front(web_config)
    async with TestClient(TestServer(build_app(stack.core, lambda: True, users=front))) as client:
        yield WithUsers(stack, web_config, front, Browser(client))


async def test_a_user_of_the_web_config_logs_in_as_far_as_the_config_lets_him(with_users: WithUsers) -> None:
    browser = with_users.allow(users={"anna": "viewer"})
    assert (await browser.send("/login", user="anna", token="wrong")).status == 401
    assert (await browser.send("/login", user="nobody", token="attic")).status == 401
    assert (await browser.send("/login", user="anna", token="")).status == 401
    stranger = await browser.send("/login", user="bob", token="attic")
    assert (stranger.status, "bob has no access" in stranger.text) == (403, True)
    shown = await browser.send("/login", user="anna", token="attic")
    assert shown.path == "/console/"
    assert "anna by password" in (await browser.open("/sessions")).text
    async with browser.client.post("/console/pause", data={"csrf": shown.field("csrf")}) as answer:
        assert "anna may look and not act" in await answer.text()


async def test_what_a_user_does_is_recorded_with_the_name(stack: Stack, with_users: WithUsers) -> None:
    browser = with_users.allow(users={"anna": "operator"})
    shown = await browser.send("/login", user="anna", token="attic")
    await browser.send("/pause", csrf=shown.field("csrf"), reason="moving", **{"for": "1h"})
    [pause] = (await stack.core.status())["paused"]
    assert pause["caller"] == {"trigger": "console", "name": "anna"}


async def test_another_password_or_none_in_the_config_ends_the_session(with_users: WithUsers) -> None:
    browser = with_users.allow(users={"anna": "viewer"})
    await browser.send("/login", user="anna", token="attic")
    assert (await browser.open("/")).path == "/console/"
    await with_users.change_password("cellar")
    assert (await browser.open("/")).path == "/console/login"
    await browser.send("/login", user="anna", token="cellar")
    assert (await browser.open("/")).path == "/console/"
    with_users.allow()
    assert (await browser.open("/")).path == "/console/login"


async def test_whom_the_proxy_names_counts_from_the_proxy_alone_and_only_while_it_does(with_users: WithUsers) -> None:
    header = {"name": "Remote-User", "from": ["127.0.0.0/8"]}
    browser = with_users.allow(users={"anna": "viewer"}, user_header=header)
    assert (await browser.open("/runs", **{"Remote-User": "anna"})).path == "/console/runs"
    assert "anna by the proxy" in (await browser.open("/sessions", **{"Remote-User": "anna"})).text
    assert (await browser.open("/runs", **{"Remote-User": "bob"})).status == 403
    assert (await browser.open("/runs")).path == "/console/login", "the session goes on without the proxy's word"
    elsewhere = with_users.allow(users={"anna": "viewer"}, user_header={**header, "from": ["10.0.0.1"]})
    assert (await elsewhere.open("/runs", **{"Remote-User": "anna"})).path == "/console/login"
    unnamed = with_users.allow(users={"anna": "viewer"})
    assert (await unnamed.open("/runs", **{"Remote-User": "anna"})).path == "/console/login"


async def test_a_link_from_elsewhere_finds_the_proxys_session_and_does_not_go_round(with_users: WithUsers) -> None:
    browser = with_users.allow(users={"anna": "viewer"}, user_header={"name": "Remote-User", "from": ["127.0.0.1"]})
    headers = {"Sec-Fetch-Site": "cross-site", "Remote-User": "anna"}
    async with browser.client.get("/console/runs", headers=headers, allow_redirects=False) as answer:
        assert (answer.status, len(answer.cookies)) == (200, 0)


async def test_below_the_path_of_a_proxy_every_address_has_it(stack: Stack, with_users: WithUsers) -> None:
    """The proxy takes the path away; TLS is its own."""
    browser = with_users.allow(url="https://ops.example.org/up", users={"anna": "operator"})
    secure = {"Host": "ops.example.org"}
    data = {"user": "anna", "token": "attic", "next": "/console/runs"}
    async with browser.client.post("/console/login", data=data, headers=secure, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/up/console/runs"
        cookie = answer.cookies[f"__Host-{COOKIE}"]
        assert (cookie["secure"], cookie["path"]) == (True, "/")
        held = f"{cookie.key}={cookie.value}"
    await stack.receive(alert())
    await stack.finished(1)
    for path in PATHS:
        if path != "/events":
            async with browser.client.get("/console" + path, headers={**secure, "Cookie": held}) as answer:
                html = await answer.text()
                inward = re.findall(r'(?:href|src|action|data-live)="(/[^"]*)"', html)
                assert inward, path
                assert all(link.startswith("/up/console/") for link in inward), (path, inward)
    for path, onward in (("/", "/up/console/"), ("/console/runs", "/up/console/login?next=/console/runs")):
        async with browser.client.get(path, headers=secure, allow_redirects=False) as answer:
            assert answer.headers["Location"] == onward


@pytest.mark.parametrize(
    ("url", "host", "secure"),
    [
        ("https://ops.example.org/up", "ops.example.org", True),
        ("https://ops.example.org:443/up", "ops.example.org", True),
        ("https://ops.example.org", "OPS.example.org:443", True),
        ("https://ops.example.org:8443", "ops.example.org:8443", True),
        ("https://ops.example.org:8443", "ops.example.org", False),
        ("https://ops.example.org", "evil.example", False),
        ("http://ops.example.org", "ops.example.org", False),
    ],
)
def test_the_cookie_is_for_tls_alone_where_the_browser_speaks_it(url: str, host: str, secure: bool) -> None:
    """Browsers leave the usual port out of Host, and people may write it into the config."""
    people = People(lambda: Console.model_validate({"url": url}), None)
    assert people.is_tls_outside(make_mocked_request("GET", "/console/", headers={"Host": host})) is secure


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"token=\xff", "application/x-www-form-urlencoded"),
        (b"token=x", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"token=x", "application/x-www-form-urlencoded; charset=utf-16"),
        (b"token=x", "multipart/form-data"),
        (b"--b\r\nContent-Disposition: form-data; name=token\r\n\r\nx", "multipart/form-data; boundary=b"),
    ],
)
async def test_what_is_no_form_is_said_to_be_none(browser: Browser, body: bytes, kind: str) -> None:
    async with browser.client.post(f"{BASE}/login", data=body, headers={"Content-Type": kind}) as answer:
        assert answer.status in (400, 403), await answer.text()


@pytest.mark.parametrize("onward", ["//[x", "http://[x", "/console/%2e%2e/%2e%2e//x"])
async def test_an_address_that_is_none_of_ours_leads_to_the_first_page(
    browser: Browser, stack: Stack, onward: str
) -> None:
    token = await token_of(stack, "viewer")
    assert (await browser.send("/login", token=token, next=onward)).path == f"{BASE}/"


async def test_a_browser_of_any_name_is_listed(browser: Browser, stack: Stack) -> None:
    fields, headers = {"token": await token_of(stack, "operator")}, {"User-Agent": "\udcff\udcfe"}
    async with browser.client.post(f"{BASE}/login", data=fields, headers=headers) as answer:
        assert answer.status == 200
    assert (await browser.open("/sessions")).status == 200
