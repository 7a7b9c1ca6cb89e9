"""Lists of a long record are whole from page to page, as a person goes through them: by the links of the pages."""

import re

import pytest

from bench.console import LONG, Size, fill
from remediator.console.pages import ON_A_PAGE
from tests.helpers import long_form
from tests.remediator.console.visits import Browser, token_of
from tests.remediator.stack import Stack

pytestmark = pytest.mark.torture


async def gone_through(browser: Browser, path: str, kind: str) -> list[list[int]]:
    """The ids on each page of a list, the newest first, to the last page there is."""
    found: list[list[int]] = []
    address = path
    while address:
        shown = await browser.open(address)
        assert shown.status == 200, address
        found.append([int(id) for id in re.findall(rf"<tr>\s*<td[^>]*><a href=\"/console/{kind}/(\d+)\"", shown.html)])
        assert (">Newest</a>" in shown.html) == (address != path), address
        following = re.findall(r'href="/console([^"]*)" rel="next"', shown.html)
        address = following[0].replace("&amp;", "&") if following else ""
    return found


async def test_each_page_is_complete_none_repeats_and_the_last_is_reached(stack: Stack, browser: Browser) -> None:
    size = LONG if long_form() else Size(runs=230, alerts=120, approvals=110)
    fill(stack.core.state.database, size)
    await browser.log_in(await token_of(stack, "viewer"))
    async with browser.client.get("/console/", headers={"Accept-Encoding": "gzip"}) as answer:
        assert int(answer.headers["Content-Length"]) < 60_000, "the first page is too heavy for a slow line"
    waiting = size.approvals // 10
    failed = [n for n in range(size.runs - waiting, 0, -1) if n % 7 == 0]
    for path, kind, wanted in (
        ("/runs", "runs", range(size.runs, 0, -1)),
        ("/runs?outcome=failed&task=log-rotation", "runs", failed),
        ("/runs?state=waiting", "runs", range(size.runs, size.runs - waiting, -1)),
        ("/alerts", "alerts", range(size.alerts, 0, -1)),
        ("/alerts?status=resolved", "alerts", range(size.alerts - 20, 0, -1)),
        ("/decisions", "alerts", range(size.alerts, 0, -1)),
        ("/approvals", "approvals", range(size.approvals, 0, -1)),
        ("/approvals?state=denied", "approvals", range(size.approvals - waiting, 0, -1)),
    ):
        found = await gone_through(browser, path, kind)
        assert [id for page in found for id in page] == list(wanted), path
        assert all(len(page) == ON_A_PAGE for page in found[:-1]), path
        assert len(found) == -(-len(wanted) // ON_A_PAGE), f"an empty page at the end of {path}"
