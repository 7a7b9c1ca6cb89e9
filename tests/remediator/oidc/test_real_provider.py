"""Login at a real provider, the example server of zitadel/oidc, with a real Chromium, for which that is another site.

UPKEEPER_OIDC_PROVIDER names the server:

go mod init x && go get github.com/zitadel/oidc/v3/example/server@v3.52.0
go build -o provider github.com/zitadel/oidc/v3/example/server
"""

import os
import subprocess
import time
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import async_playwright

from remediator.app import build_app
from remediator.config.config import Config
from tests.chromium import QUIET
from tests.helpers import LONG, missing, require_program, wait_until
from tests.ports import free_port
from tests.remediator.stack import Stack, settings

pytestmark = [LONG, pytest.mark.torture, pytest.mark.servers]


async def test_somebody_logs_in_there_and_is_in_here(stack: Stack, tmp_path: Path) -> None:
    program, port = os.environ.get("UPKEEPER_OIDC_PROVIDER"), free_port()
    if not program:
        missing("UPKEEPER_OIDC_PROVIDER names no provider")
    stack.clock.now = time.time()
    (tmp_path / "secret").write_text("secret")
    async with TestServer(build_app(stack.core, lambda: True)) as server:
        url = str(server.make_url("")).rstrip("/")
        oidc = {
            "issuer": f"http://localhost:{port}/", "client_id": "web", "client_secret_file": str(tmp_path / "secret"),
            "scopes": ["openid", "profile", "email"], "roles_claim": "email",
            "roles": {"test-user@zitadel.ch": "viewer"},
        }  # fmt: skip
        config = Config.model_validate({"remediator": {"ballast": 0}, "console": {"url": url, "oidc": oidc}})
        stack.core.apply_settings(settings(stack.task, stack.remedies, config))
        env = {**os.environ, "PORT": str(port), "REDIRECT_URI": f"{url}/console/oidc/back"}
        with (tmp_path / "log").open("wb") as log:
            provider = subprocess.Popen([str(program)], env=env, stderr=log, stdout=log)
        try:
            issuer = f"http://localhost:{port}"

            async def described() -> bool:
                async with (
                    ClientSession() as session,
                    session.get(f"{issuer}/.well-known/openid-configuration") as answer,
                ):
                    return answer.status == 200

            await wait_until(described, what="the provider to answer")
            async with async_playwright() as driver:
                program = require_program("chromium", "chromium")
                browser = await driver.chromium.launch(executable_path=program, args=list(QUIET))
                for script in (True, False):
                    context = await browser.new_context(java_script_enabled=script)
                    page = await context.new_page()
                    await page.goto(f"{url}/console/runs")
                    await page.click("text=Log in with single sign-on")
                    await page.fill("[name=username]", "test-user@localhost")
                    await page.fill("[name=password]", "verysecure")
                    await page.click("button[type=submit]")
                    await page.wait_for_url(f"{url}/console/runs")
                    await page.goto(f"{url}/console/sessions")
                    assert "test-user@localhost by single sign-on" in await page.inner_text("main")
                    cookies = {each["name"]: each for each in await context.cookies(url)}  # type: ignore[typeddict-item]
                    assert set(cookies) == {"upkeeper-session"}
                    assert (cookies["upkeeper-session"]["sameSite"], cookies["upkeeper-session"]["httpOnly"]) == (
                        "Strict",
                        True,
                    )
                    await context.close()
                await browser.close()
        finally:
            provider.terminate()
            provider.wait()
