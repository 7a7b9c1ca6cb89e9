"""Errors over HTTP: each is a problem document, and none tells what only the log may know."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.base.problem import problem, problem_middleware

SECRET = "hunter2-marker"


async def own(request: web.Request) -> web.Response:
    return problem(409, detail="cooldown", headers={"Retry-After": "60"}, guard="cooldown", until=1.5)


async def raised(request: web.Request) -> web.Response:
    raise web.HTTPBadRequest(text="limit must be a whole number")


async def bare(request: web.Request) -> web.Response:
    raise web.HTTPForbidden


async def crashed(request: web.Request) -> web.Response:
    raise RuntimeError(SECRET)


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPFound("/own")


async def read(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


@pytest.fixture
async def base() -> AsyncIterator[str]:
    app = web.Application(middlewares=[problem_middleware], client_max_size=10)
    app.add_routes(
        [
            web.get("/own", own),
            web.get("/raised", raised),
            web.get("/bare", bare),
            web.get("/crashed", crashed),
            web.get("/moved", moved),
            web.post("/read", read),
            web.put("/read", read),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "path", "expected", "headers"),
    [
        (
            "GET",
            "/own",
            {"title": "Conflict", "status": 409, "detail": "cooldown", "guard": "cooldown", "until": 1.5},
            {"Retry-After": "60"},
        ),
        ("GET", "/raised", {"title": "Bad Request", "status": 400, "detail": "limit must be a whole number"}, {}),
        ("GET", "/bare", {"title": "Forbidden", "status": 403}, {}),
        ("GET", f"/{SECRET}", {"title": "Not Found", "status": 404}, {}),
        (
            "DELETE",
            "/read",
            {"title": "Method Not Allowed", "status": 405, "detail": "allowed here: POST, PUT"},
            {"Allow": "POST,PUT"},
        ),
    ],
)
async def test_errors_are_problems(
    base: str, method: str, path: str, expected: dict[str, Any], headers: dict[str, str]
) -> None:
    with capture_logs() as logs:
        async with aiohttp.request(method, base + path) as answer:
            assert (answer.status, answer.content_type) == (expected["status"], "application/problem+json")
            assert await answer.json(content_type=None) == {"type": "about:blank"} | expected
            assert headers.items() <= answer.headers.items()
    assert logs == []


async def test_a_body_over_the_limit(base: str) -> None:
    async with aiohttp.request("POST", f"{base}/read", data=b"x" * 11) as answer:
        assert (answer.status, answer.content_type) == (413, "application/problem+json")


async def test_an_unexpected_error_is_logged_once_and_told_to_nobody(base: str) -> None:
    with capture_logs() as logs:
        async with aiohttp.request("GET", f"{base}/crashed") as answer:
            text = await answer.text()
            assert (answer.status, answer.content_type) == (500, "application/problem+json")
    assert SECRET not in text
    assert [(line["event"], line["path"], line["exc_info"]) for line in logs] == [("request failed", "/crashed", True)]


async def test_a_redirect_is_no_error(base: str) -> None:
    async with aiohttp.request("GET", f"{base}/moved", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/own")
