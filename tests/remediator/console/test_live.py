"""Open pages are told what changes, and let the server stop."""

import asyncio
import re
import time

import pytest

from remediator.console import live
from tests.helpers import wait_until
from tests.remediator.console.visits import Browser, token_of
from tests.remediator.stack import Stack, alert


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)


async def test_a_page_is_told_of_each_change(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    async with browser.client.get("/console/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readline() == b"retry: 2000\n"
        await asyncio.sleep(0)
        stack.clutter(1)
        told = asyncio.ensure_future(answer.content.readuntil(b"event: changed\n"))
        number = 0
        while not told.done():  # the first look may come after the first alert
            number += 1
            await stack.receive(alert(alertname=f"Alert{number}"))
            await asyncio.wait([told], timeout=0.2)
        await told


async def test_how_far_an_action_is_stands_on_its_page_and_is_told(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    run = await stack.core.start_run("sweep", "attic")
    await wait_until(lambda: stack.task.applied, equals=["f0"])
    assert re.search(r"1 sweep attic applying", (await browser.open("/")).text), "what runs is not on the first page"
    page = await browser.open(f"/runs/{run['id']}")
    assert "delete f0: 1 of 10 files" in page.html
    assert '<progress aria-label="How far the action is" value="1" max="10">10 %</progress>' in page.html
    events = re.search(r'data-live="([^"]*)"', page.html)
    assert events
    async with browser.client.get(events[1]) as answer:
        told = asyncio.ensure_future(answer.content.readuntil(b"event: changed\n"))
        while not told.done() and stack.task.at < 10:  # the first look may come after the first step
            stack.task.at += 1
            await asyncio.wait([told], timeout=0.5)
        await asyncio.wait_for(told, 10)
    stack.task.stuck.set()
    await stack.finished()
    assert "<progress" not in (await browser.open(f"/runs/{run['id']}")).html


async def test_what_happened_before_the_stream_began_is_told(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    events = re.search(r'data-live="([^"]*)"', (await browser.open("/")).html)
    assert events
    await stack.receive(alert(alertname="Between"))
    async with browser.client.get(events[1]) as answer:
        await asyncio.wait_for(answer.content.readuntil(b"event: changed\n"), 10)


async def test_the_stream_ends_with_the_session_and_is_not_for_everybody(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BEAT", 0.02)
    monkeypatch.setattr(live, "MOST", 1)
    await browser.log_in(await token_of(stack, "viewer"))
    async with browser.client.get("/console/events") as answer:
        await answer.content.readline()
        async with browser.client.get("/console/events") as second:
            assert second.status == 204
        await stack.core.access.revoke_token("viewer-1")
        await asyncio.wait_for(answer.content.read(), 10)  # to its end
    await browser.log_in(await token_of(stack, "operator"))
    async with browser.client.get("/console/events") as answer:
        assert answer.status == 200, "the place of one that ended is not free"


async def test_the_server_stops_while_pages_are_open(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    async with browser.client.get("/console/events") as answer:
        await answer.content.readline()
        start = time.monotonic()
        await browser.client.server.close()
        assert time.monotonic() - start < 5
        await answer.content.read()


async def test_a_record_that_could_not_be_read_for_a_time_is_looked_at_again(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    real, failed = stack.core.reading.runs, asyncio.Event()

    async def fails(**_: object) -> None:
        failed.set()
        raise OSError("the disk does not answer")

    monkeypatch.setattr(stack.core.reading, "runs", fails)
    async with browser.client.get("/console/events") as answer:
        await answer.content.readline()
        await asyncio.wait_for(failed.wait(), 10)
        monkeypatch.setattr(stack.core.reading, "runs", real)
        told = asyncio.ensure_future(answer.content.readuntil(b"event: changed\n"))
        number = 0
        while not told.done() and number < 50:  # the first look may come after the first alert
            number += 1
            await stack.receive(alert(alertname=f"Alert{number}"))
            await asyncio.wait([told], timeout=0.2)
        await asyncio.wait_for(told, 1)
