"""The console in a real browser: on a phone and a desk, by keyboard alone, without script, and looked at by axe."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, FloatRect, Page

from remediator.app import build_app
from remediator.console import live
from remediator.console.pages import PAGES
from remediator.forecast.row import ForecastRow
from remediator.store import fleet, rows
from remediator.store.fleet import Arrived
from tests.chromium import URL, chromium
from tests.helpers import long_form, wait_until
from tests.remediator.console.test_forms import asked
from tests.remediator.console.test_looks import backed_up
from tests.remediator.console.visits import token_of
from tests.remediator.stack import Stack, alert, settings

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.torture]

PHONE = {"width": 390, "height": 844}
EVERY = (*(page.path for page in PAGES), "/schedule?job=health-check", "/sessions",
         f"/alerts/of/{alert(alertname='Other').fingerprint}")  # fmt: skip
CHECKED = {"phone": ("/", "/approvals/{id}", "/runs/{id}", "/tasks", "/backups", "/hosts"), "desk": ("/", "/forecast")}
"""Pages that stand for all where axe looks: it takes longer than all else. In the long form it looks at each, twice."""
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


async def full(stack: Stack, root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A state with something on every page: a failed run, an approval that waits, an alert that nothing matches, a
    set, whose name it returns, a forecast, another host, a remedy that may be promoted.
    """
    suggested = ("auto", "9 of its 10 approved runs were effective")
    monkeypatch.setattr("remediator.control.standing.promotion", lambda remedy, track: suggested)
    stack.clutter(3)
    stack.task.broken = True
    await stack.core.start_run("sweep", "attic")
    await stack.finished(1)
    stack.task.broken = False
    stack.clock.now += 120.0
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    name = await backed_up(stack, root)
    await asked(stack)
    foretold = ForecastRow(sink="logs:app", unit="bytes", says="in 5 days (4 to 9)", limit=2e9, used=1.9e9,
                           used_ratio=0.95, days=5.0, days_earliest=4.0, days_latest=9.0, reach_days=60)  # fmt: skip
    monkeypatch.setattr(stack.core.forecasting, "_foretells", lambda: ["sweep"])
    cellar = Arrived("cellar", "0.9.7", "rack-3", None)
    await stack.core._database.write(partial(rows.replace, run_id=1, rows=[foretold]))
    await stack.core._database.write(partial(fleet.arrive, one=cellar, now=stack.clock.now - 600))
    long = "x" * 300
    await stack.receive(alert(alertname="DiskAlmostFull", severity="critical", mountpoint=f"/{long}"))
    await stack.receive(alert(alertname="Other"))
    await stack.core.pause(None, "moving house", 3600.0)
    return name


def serious(found: dict[str, Any]) -> list[str]:
    """What axe calls serious or critical: the rule, and the element."""
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


async def test_every_page_reads_well_on_a_phone_and_a_desk_by_keyboard_and_without_script(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one browser, each page asked for twice: to start one and to load a page are what takes time here."""
    name_of_set = await full(stack, tmp_path, monkeypatch)
    kept, wanted = os.environ.get("UPKEEPER_SCREENSHOTS"), os.environ.get("UPKEEPER_PICTURES")
    pictures = Path(kept or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 404" not in message.text:  # which the browser says of such a page
            faults.append(message.text)

    def crashed(error: Error) -> None:
        faults.append(str(error))

    async with served(stack, tmp_path) as browser:
        token = await token_of(stack, "operator")
        context = await logged_in(browser, token, viewport=PHONE, color_scheme="light")
        page = await context.new_page()
        page.on("console", said)
        page.on("pageerror", crashed)
        bare = await logged_in(browser, token, viewport=PHONE, java_script_enabled=False)
        still = await bare.new_page()
        for path in (*EVERY, f"/backups?series=pa&set={name_of_set}"):
            await page.goto("/console" + path.replace("{id}", "1"))
            words = await page.inner_text("main")
            assert await page.locator("h1").count() == 1, path
            if path == "/remedies":
                await page.click("summary:has-text('Promote it')")  # what a person has to confirm is looked at too
            for name, size, colours in (("phone", PHONE, "light"), ("desk", DESK, "dark")):
                await page.set_viewport_size(size)
                await page.emulate_media(color_scheme=colours)
                where = f"{name} {path}"
                wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if wide > 0:
                    faults.append(f"{where} is {wide} pixels too wide")
                if name == "phone":
                    faults += [f"{where}: out of sight: {cell}" for cell in await page.evaluate(_OUT_OF_SIGHT)]
                if long_form() or path in CHECKED[name]:
                    faults += [f"{where} {fault}" for fault in serious((await Axe().run(page)).response)]
                if wanted and where == "phone /":
                    clip = FloatRect(x=0, y=0, width=PHONE["width"], height=966)
                    await page.screenshot(path=Path(wanted) / "console-now.png", full_page=True, clip=clip)
                if kept or path == "/":
                    title = path.replace("?series=pa&set=" + name_of_set, "-one").strip("/").replace("/{id}", "-one")
                    title = title.replace("?job=health-check", "-why").replace("/", "-") or "now"
                    await page.screenshot(path=pictures / f"{name}-{title}.png", full_page=True, clip=await top(page))
            faults += [f"{path}: no Tab comes to {missed}" for missed in await missed_by_tab(page)]
            await page.set_viewport_size(PHONE)
            await page.emulate_media(color_scheme="light")
            await still.goto("/console" + path.replace("{id}", "1"))
            assert figureless(await still.inner_text("main")) == figureless(words), f"{path} needs a script"
        # Those of no menu: addresses that there are not, the login before anybody is known, a mail's link.
        view = await stack.core.approval(1)
        linked = AsyncMock(return_value=(1, view["plan_hash"], "anna"))
        monkeypatch.setattr(stack.core.links, "_found", linked)
        strange = await browser.new_context(base_url=URL, viewport=PHONE)
        login = await strange.new_page()
        login.on("console", said)
        for at, path in (
            (page, "/console/nowhere"),
            (page, "/console/runs/999"),
            (login, "/console/login"),
            (login, "/console/once/x"),
        ):
            await at.goto(path)
            assert await at.locator("h1").count() == 1, path
            for size in (PHONE, DESK):
                await at.set_viewport_size(size)
                if await at.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
                    faults.append(f"{path} is too wide")
            if path.endswith(("login", "x")) or long_form():
                faults += [f"{path} {fault}" for fault in serious((await Axe().run(at)).response)]
            faults += [f"{path}: no Tab comes to {missed}" for missed in await missed_by_tab(at)]
        await page.set_viewport_size(PHONE)
        # What a form shows.
        await still.goto("/console/backups")
        await still.fill("#to", str(tmp_path / "back"))
        await still.click("text=Show the plan")
        assert "finish-restore" in await still.inner_text("main")
        assert not (tmp_path / "back").exists()
        await page.goto("/console/backups")
        await page.fill("#to", str(tmp_path / "back"))
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=finish-restore")
        if long_form():
            faults += [f"the plan of a restore {fault}" for fault in serious((await Axe().run(page)).response)]
    assert not faults, "\n".join(faults)


async def top(page: Page) -> FloatRect:
    """All of the page, but for the lower part of a very long one."""
    width, height = await page.evaluate("[innerWidth, Math.min(document.documentElement.scrollHeight, 3000)]")
    return FloatRect(x=0, y=0, width=width, height=height)


_OUT_OF_SIGHT = """
    [...document.querySelectorAll("main table td")].filter((cell) => {
        const box = cell.getBoundingClientRect(), label = getComputedStyle(cell, "::before").content;
        const seen = box.left >= 0 && box.right <= innerWidth && box.width > 0 && label !== "none";
        return cell.textContent.trim() !== "" && !cell.hasAttribute("colspan") && !seen;
    }).map((cell) => cell.outerHTML.slice(0, 200))
"""
"""Cells of tables that a phone does not show, or not with the name of their column."""


def figureless(text: str) -> str:
    """What is told without what is another a second later."""
    text = re.sub(r"\w{3} \d+, \d{4}, [\d:]+\s[AP]M UTC|\d{4}-\d\d-\d\d [\d:]+ UTC", "#", text)
    return re.sub(r"\d+[a-z]*|now", "#", text.replace(" this one", ""))


async def missed_by_tab(page: Page) -> list[str]:
    """What can be used with a pointer and is not reached by Tab."""
    count: int = await page.evaluate(
        """() => {
            window.reached = new Set();
            addEventListener("focusin", (focus) => window.reached.add(focus.target), true);
            const all = "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']";
            window.wanted = [...document.querySelectorAll(all)].filter((one) => one.checkVisibility());
            return window.wanted.length;
        }"""
    )
    await page.locator("body").press("Tab")
    await asyncio.gather(*(page.keyboard.press("Tab") for _ in range(count)))
    missed: list[str] = await page.evaluate(
        "window.wanted.filter((one) => !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 200))"
    )
    return missed


async def test_times_in_the_readers_zone_and_the_exact_ones_on_demand(stack: Stack, tmp_path: Path) -> None:
    await stack.receive(alert(alertname="Other"))
    async with served(stack, tmp_path) as browser:
        token = await token_of(stack, "viewer")
        context = await logged_in(browser, token, timezone_id="Asia/Tokyo", locale="en-GB")
        page = await context.new_page()
        await page.goto("/console/alerts?status=firing")
        time = page.locator("main time").first
        assert await time.inner_text() == "0s ago"
        here = "15 Jan 2027, 17:00:00 GMT+9"
        assert await time.get_attribute("title") == here
        await tab_to(page, "Exact times")
        await page.keyboard.press("Enter")
        assert await time.inner_text() == here
        await page.goto("/console/decisions")
        assert await time.inner_text() == here, "it is to be asked for on each page"
        await page.click("#times")
        assert await time.inner_text() == "0s ago"
        await context.close()
        context = await logged_in(browser, token, java_script_enabled=False)
        page = await context.new_page()
        await page.goto("/console/alerts?status=firing")
        await page.click("text=Exact times")
        assert page.url.endswith("/console/alerts?status=firing&times=exact")
        assert await page.locator("main time").first.inner_text() == "2027-01-15 08:00:00 UTC"
        await page.click("text=Times ago")
        assert await page.locator("main time").first.inner_text() == "0s ago"


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
        assert "sweep on attic: approved." in await page.inner_text(".told")
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
        async with page.expect_response("**/console/events?*"):
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
        stack.clutter(1)
        stack.task.stuck = asyncio.Event()
        run = await stack.core.start_run("sweep", "attic")
        await page.goto(f"/console/runs/{run['id']}")
        await page.evaluate("window.same = true")
        await wait_until(lambda: page.get_by_text("applying").count(), what="the run under way on its page")
        steps = page.locator(".timeline")
        await wait_until(lambda: steps.get_by_text("goes on").count(), what="the action under way on the timeline")
        stack.task.stuck.set()
        await wait_until(lambda: page.get_by_text("effective").count(), what="the end of the run on its page")
        assert await steps.get_by_text("verified").count()
        assert not await steps.get_by_text("goes on").count()
        assert await page.evaluate("window.same"), "the page was loaded again"
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
