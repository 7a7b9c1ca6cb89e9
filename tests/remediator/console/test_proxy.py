"""The console below a path of a reverse proxy: as people reach it, with the proxy between."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer

from remediator.app import build_app
from remediator.chat.mail import link_of
from remediator.config.config import Config
from remediator.console import live
from tests.helpers import LONG, missing, wait_until
from tests.ports import free_port
from tests.remediator.console.prefix_proxy import PREFIX, USER_HEADER, aiohttp_proxy, nginx_proxy
from tests.remediator.console.test_forms import asked
from tests.remediator.console.visits import Shown, token_of
from tests.remediator.oidc.provider_stand_in import CLIENT, SECRET, provider
from tests.remediator.stack import Stack, alert, settings

PROXIES = ["aiohttp", pytest.param("nginx", marks=[LONG, pytest.mark.torture, pytest.mark.servers])]


@dataclass
class Outside:
    """Somebody outside. url: where he reaches the remediator."""

    stack: Stack
    url: str
    session: ClientSession

    def allow(self, **console: Any) -> None:
        document = {"remediator": {"ballast": 0}, "console": {"url": self.url, **console}}
        config = Config.model_validate(document)
        self.stack.core.apply_settings(settings(self.stack.task, self.stack.remedies, config))

    async def open(self, address: str, **headers: str) -> Shown:
        whole = address if address.startswith("http") else self.url + address
        async with self.session.get(whole, headers=headers) as answer:
            return Shown(answer.status, answer.url.path, await answer.text())

    async def send(self, page: Shown, action: str, **fields: str) -> Shown:
        """Fills in a form of a page, which sends it as a browser does."""
        assert f'action="{action}"' in page.html, f"no form for {action} on {page.path}"
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
        async with self.session.post(f"{origin}{action}", data=fields, headers={"Origin": origin}) as answer:
            return Shown(answer.status, answer.url.path, await answer.text())


@pytest.fixture(params=PROXIES)
async def outside(
    request: pytest.FixtureRequest, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Outside]:
    """Behind a proxy that names nobody; for the test of whom it has named, anna."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)
    user = "anna" if "has_named" in request.node.name else None
    async with AsyncExitStack() as exits:
        server = await exits.enter_async_context(TestServer(build_app(stack.core, lambda: True)))
        behind = str(server.make_url("")).rstrip("/")
        if request.param == "nginx":
            program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
            if program is None:
                missing("nginx is not installed (Debian package nginx-light)")
            (tmp_path / "nginx").mkdir()
            proxy = nginx_proxy(str(program), behind, user, tmp_path / "nginx", free_port())
        else:
            proxy = aiohttp_proxy(behind, user)
        url = await exits.enter_async_context(proxy)
        session = await exits.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        made = Outside(stack, url, session)
        made.allow()

        async def reached() -> bool:
            return (await made.open("/-/healthy")).status == 200

        await wait_until(reached, what="the proxy to answer")
        yield made


async def test_pages_forms_links_and_news_work_below_the_path(stack: Stack, outside: Outside) -> None:
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    outside.allow()
    number = await asked(stack)
    link = f"{outside.url}/console/approvals/{number}"  # as chats and mails have it
    login = await outside.open(link)
    assert (login.path, login.field("next")) == (f"{PREFIX}/console/login", f"/console/approvals/{number}")
    page = await outside.send(
        login, f"{PREFIX}/console/login", token=await token_of(stack, "operator"), next=login.field("next")
    )
    assert (page.status, page.path) == (200, f"{PREFIX}/console/approvals/{number}")
    assert all(cookie["path"] == "/" for cookie in outside.session.cookie_jar)
    found = [unescape(each) for each in re.findall(r'(?:href|src)="(/[^"#]*)"', page.html)]
    origin = outside.url.removesuffix(PREFIX)
    for each in found:
        assert (await outside.open(origin + each)).status == 200, each
    assert len(found) > 10
    [live_at] = set(re.findall(r'data-live="([^"]*)"', (await outside.open("/console/")).html))
    async with outside.session.get(origin + live_at) as news:
        assert news.content_type == "text/event-stream"
        assert await asyncio.wait_for(news.content.readline(), 30) == b"retry: 2000\n", "news are held back"
        told = asyncio.ensure_future(news.content.readuntil(b"event: changed\n"))
        for count in range(200):  # the first look may come after the first alert
            if told.done():
                break
            await stack.receive(alert(alertname=f"Alert{count}"))
            await asyncio.wait([told], timeout=0.2)
        await asyncio.wait_for(told, 30)
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.html))
    after = await outside.send(page, f"{PREFIX}/console/answer", **{**fields, "verdict": "approve"})
    assert after.path.startswith(f"{PREFIX}/console/")
    assert (await stack.core.approval(number))["state"] == "approved"
    again = await outside.open("/console/")
    assert (await outside.send(again, f"{PREFIX}/console/logout", csrf=again.field("csrf"))).path == login.path
    once = await outside.open(link_of(outside.url, "of-no-mail"))
    assert (once.status, "link is of nothing that waits" in once.text) == (404, True)


async def test_whom_the_proxy_has_named_is_in_and_whom_a_client_names_is_not(stack: Stack, outside: Outside) -> None:
    header = {"name": USER_HEADER, "from": ["127.0.0.1"]}
    outside.allow(users={"anna": "viewer", "root": "operator"}, user_header=header)
    shown = await outside.open("/console/sessions", **{USER_HEADER: "root"})
    assert (shown.path, "anna by the proxy" in shown.text, "root" in shown.text) == (
        f"{PREFIX}/console/sessions", True, False,
    )  # fmt: skip


async def test_single_sign_on_comes_back_below_the_path(stack: Stack, outside: Outside, tmp_path: Path) -> None:
    stack.clock.now = time.time()
    (tmp_path / "secret").write_text(SECRET)
    async with provider() as sso:
        given = {"issuer": sso.url, "client_id": CLIENT, "client_secret_file": str(tmp_path / "secret")}
        outside.allow(oidc={**given, "roles": {"ops": "viewer"}})
        login = await outside.open("/console/runs")
        [there] = [each for each in login.links() if "/oidc/login" in each]
        assert there.startswith(f"{PREFIX}/console/oidc/login?next=")
        path = outside.url.removesuffix(PREFIX) + there
        async with outside.session.get(path, allow_redirects=False) as answer:
            asks = parse_qs(urlsplit(answer.headers["Location"]).query)
            assert asks["redirect_uri"] == [f"{outside.url}/console/oidc/back"]
        back = await outside.open(path)
        assert f'content="0;url={PREFIX}/console/runs"' in back.html, back.text
        assert (await outside.open("/console/runs")).path == f"{PREFIX}/console/runs"
