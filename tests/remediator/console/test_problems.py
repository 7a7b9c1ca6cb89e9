"""What goes wrong is said on a page, to whoever looks by a browser."""

from io import BytesIO

import pytest
from sqlalchemy.exc import OperationalError

from tests.remediator.console.visits import Browser, Shown, token_of
from tests.remediator.stack import Stack


def is_page(shown: Shown) -> bool:
    return shown.html.startswith("<!doctype html>") and "<h1>Not possible</h1>" in shown.html


async def test_what_is_no_page_is_said_on_a_page(stack: Stack, browser: Browser) -> None:
    for path in ("/nonsense", "/runs/x", "/runs/1/2"):
        shown = await browser.open(path)
        assert shown.path == "/console/login", "who is not logged in learns what there is"
    await browser.log_in(await token_of(stack, "viewer"))
    for path in ("/nonsense", "/runs/x", "/runs/1/2", "/runs/77", f"/runs/{'9' * 40}", "/static/x/y", "/artefacts/x"):
        shown = await browser.open(path)
        assert shown.status == 404, path
        assert is_page(shown) or path.startswith("/static"), path
    assert "Runs" in (await browser.open("/nonsense")).text, "there is no way on from it"
    for path in ("/runs", "/login/x", "/nonsense"):
        shown = await browser.send(path)
        assert (shown.status, is_page(shown)) == (405, True), path


async def test_what_fails_inside_is_said_on_a_page(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = await browser.log_in(await token_of(stack, "operator"))

    async def fails(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the inside"))

    monkeypatch.setattr(stack.core.reading, "artefact", fails)
    shown = await browser.open("/artefacts/1")
    assert (shown.status, is_page(shown), "inside" in shown.html) == (500, True, False)
    long = BytesIO(f"csrf={home.field('csrf')}&reason={'x' * 5_000_000}".encode())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with browser.client.post("/console/pause", data=long, headers=form) as answer:
        assert answer.status == 413
        assert "<h1>Not possible</h1>" in await answer.text()
    monkeypatch.setattr(stack.core.access, "grant_of", fails)
    shown = await browser.log_in("nonsense")
    assert (shown.status, is_page(shown), "inside" in shown.html) == (500, True, False)


async def test_a_page_that_could_not_be_made_comes_again_by_itself(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))

    async def fails(*_: object, **__: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(stack.core.reading, "runs", fails)
    assert 'data-live="/console/events?seen=' in (await browser.open("/runs")).html
    assert "data-live" not in (await browser.open("/runs/77")).html


@pytest.mark.parametrize("header", ["Content-Transfer-Encoding: nonsense", "without a colon"])
async def test_a_form_that_cannot_be_read_is_none(browser: Browser, header: str) -> None:
    """Also before anybody has logged in."""
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    body = f'--b\r\nContent-Disposition: form-data; name="token"\r\n{header}\r\n\r\nx\r\n--b--\r\n'.encode()
    for path in ("/login", "/once/x"):
        async with browser.client.post(f"/console{path}", data=body, headers=kind) as answer:
            assert (answer.status, "Traceback" in await answer.text()) == (400, False), path
