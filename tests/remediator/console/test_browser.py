"""The console in a real browser: on a phone and a desk, by keyboard alone, without script, and looked at by axe."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page

from remediator.app import build_app
from remediator.console import live
from remediator.console.pages import PAGES
from tests.chromium import URL, chromium
from tests.helpers import long_form, wait_until
from tests.remediator.console.test_forms import asked
from tests.remediator.console.visits import token_of
from tests.remediator.stack import Stack, alert, settings

pytestmark = [pytest.mark.slow, pytest.mark.servers]

PHONE = {"width": 390, "height": 844}
EVERY = (*(page.path for page in PAGES), "/sessions")
CROWDED = ("/", "/approvals/{id}", "/runs", "/runs/{id}", "/alerts/{id}", "/tasks", "/audit")
"""Pages that stand for all: those with the most on them."""
DESK = {"width": 1280, "height": 900}


@asynccontextmanager
async def served(stack: Stack, scratch: Path) -> AsyncIterator[Browser]:
    """The console for a browser, in which ``URL`` is its address."""
    socket = Path(tempfile.mkdtemp(prefix="console-")) / "socket"  # a path of a socket has to be short
    runner = web.AppRunner(build_app(stack.core, lambda: True))
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        async with chromium(socket, scratch) as browser:
            yield browser
    finally:
        await runner.cleanup()
        shutil.rmtree(socket.parent)


async def logged_in(browser: Browser, token: str, **options: Any) -> BrowserContext:
    context = await browser.new_context(base_url=URL, **options)
    page = await context.new_page()
    await page.goto("/")
    await page.fill("#token", token)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"^[^?]*/console/$"))  # not that of the login, whose query ends so too
    await page.close()
    return context


async def full(stack: Stack) -> None:
    """A state with something on every page: a failed run, an approval that waits, an alert that nothing matches."""
    stack.clutter(3)
    stack.task.broken = True
    await stack.core.start_run("sweep", "attic")
    await stack.finished(1)
    stack.task.broken = False
    stack.clock.now += 120.0
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    await asked(stack)
    long = "x" * 300
    await stack.receive(alert(alertname="DiskAlmostFull", severity="critical", mountpoint=f"/{long}"))
    await stack.core.pause(None, "moving house", 3600.0)


def serious(found: dict[str, Any]) -> list[str]:
    """What axe calls serious or critical: the rule, and the element."""
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


async def test_every_page_reads_well_on_a_phone_and_a_desk(stack: Stack, tmp_path: Path) -> None:
    await full(stack)
    pictures = Path(os.environ.get("UPKEEPER_SCREENSHOTS", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text)

    def crashed(error: Error) -> None:
        faults.append(str(error))

    async with served(stack, tmp_path) as browser:
        for name, size, colours, paths in (
            ("phone", PHONE, "light", EVERY if long_form() else CROWDED),
            ("desk", DESK, "dark", EVERY if long_form() else ("/",)),
        ):
            token = await token_of(stack, "operator")
            context = await logged_in(browser, token, viewport=size, color_scheme=colours)
            page = await context.new_page()
            page.on("console", said)
            page.on("pageerror", crashed)
            for path in paths:
                await page.goto("/console" + path.replace("{id}", "1"))
                where = f"{name} {path}"
                wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if wide > 0:
                    faults.append(f"{where} is {wide} pixels too wide")
                faults += [f"{where} {fault}" for fault in serious((await Axe().run(page)).response)]
                title = path.strip("/").replace("/{id}", "-one") or "now"
                await page.screenshot(path=pictures / f"{name}-{title}.png", full_page=True)
            await context.close()
    assert not faults, "\n".join(faults)


async def test_approving_by_keyboard_alone_and_denying_without_script(stack: Stack, tmp_path: Path) -> None:
    """One after the other in one browser: to start one takes seconds."""
    await asking(stack)
    async with served(stack, tmp_path) as browser:
        token = await token_of(stack, "operator")
        context = await logged_in(browser, token, viewport=PHONE)
        page = await context.new_page()
        await page.goto("/console/")
        await tab_to(page, "sweep on attic")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/approvals/1")
        await tab_to(page, "Approve")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/runs/1")
        assert "sweep on attic: approved." in await page.inner_text("main")
        [run] = await stack.finished(1)
        assert run["outcome"] == "effective"
        await context.close()
        await stack.pass_time(120.0)
        await asked(stack)
        context = await logged_in(browser, token, java_script_enabled=False)
        page = await context.new_page()
        await page.goto("/console/")
        await page.click("text=sweep on attic")
        await page.fill("#reason", "looked at it")
        await page.click("text=Deny")
        await page.wait_for_url("**/runs/2")
    assert [run["outcome"] for run in await stack.finished(2)] == ["effective", "denied"]


async def test_news_come_by_themselves_and_leave_what_is_being_written_alone(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    async with served(stack, tmp_path) as browser:
        context = await logged_in(browser, await token_of(stack, "operator"))
        page = await context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        async with page.expect_response("**/console/events"):
            await page.goto("/console/")
        # The first look may come after the first alert, so there are several.
        count = 0

        async def arrived() -> bool:
            nonlocal count
            count += 1
            await stack.receive(alert(alertname=f"Alert{count}"))
            return "Alert1" in await page.inner_text("main")

        await wait_until(arrived, what="an alert to be on the open page")
        await page.click("summary:has-text('Pause')")
        await stack.receive(alert(alertname="Meanwhile"))
        await wait_until(lambda: page.get_by_text("Meanwhile").count(), what="the news beside what was opened")
        assert await page.is_visible("#reason"), "what a person opened is closed again"
        await page.fill("#reason", "half a sen")
        await stack.receive(alert(alertname="Late"))
        await asyncio.sleep(0.3)  # several looks: there is nothing to wait for
        assert await page.input_value("#reason") == "half a sen"
        assert not await page.get_by_text("Late").count()
        await page.locator("#reason").blur()
        await stack.receive(alert(alertname="Later"))
        await asyncio.sleep(0.3)
        assert await page.input_value("#reason") == "half a sen", "what was written is gone once the field is left"
        await page.fill("#reason", "")
        await page.locator("#reason").blur()
        await wait_until(lambda: page.get_by_text("Late").count(), what="the news that were held back")
        assert not faults
        await context.close()


async def asking(stack: Stack) -> None:
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    await asked(stack)


async def tab_to(page: Page, text: str) -> None:
    """Presses Tab until what has the focus says this."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if (await page.evaluate("document.activeElement.innerText")).strip() == text:
            return
    raise AssertionError(f"{text} is not reached by Tab")
