"""One request to a peer, and what can go wrong with it."""

import asyncio

import pytest
from aiohttp import web

from remediator.peers.http import PeerClient, PeerError, is_loopback
from tests.ports import free_port
from tests.upkeeper.served import listening


def peer(url: str, seconds: float = 20.0) -> PeerClient:
    return PeerClient("Prometheus", url, seconds, max_bytes=1000)


async def trickle(request: web.Request) -> web.StreamResponse:
    """Begins to answer at once, and goes on for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def long(request: web.Request) -> web.Response:
    return web.Response(text=" " * 1001)


async def page(request: web.Request) -> web.Response:
    return web.Response(text="<html>", status=404)


async def deep(request: web.Request) -> web.Response:
    return web.Response(text="[" * 200_000)


async def empty(request: web.Request) -> web.Response:
    return web.Response()


def app() -> web.Application:
    app = web.Application()
    for path, handler in (("/trickle", trickle), ("/long", long), ("/page", page), ("/empty", empty), ("/deep", deep)):
        app.router.add_get(path, handler)
    return app


async def test_each_failure_is_one_sentence() -> None:
    async with listening(app()) as url, peer(url) as prometheus:
        assert await prometheus.ask("GET", "/empty") == (200, None)
        with pytest.raises(
            PeerError, match=f"^Prometheus at {url} answers 404 without JSON; is it Prometheus"
        ) as not_it:
            await prometheus.ask("GET", "/page")
        assert not_it.value.status == 404
        with pytest.raises(PeerError, match=f"^the answer of Prometheus at {url} is longer than 1000 B$"):
            await prometheus.ask("GET", "/long")
        async with PeerClient("Prometheus", url, 20.0, max_bytes=200_000) as patient:
            with pytest.raises(PeerError, match=f"^Prometheus at {url} answers 200 with JSON that is nested too deep$"):
                await patient.ask("GET", "/deep")
        for wrong in ({"path": "/bot\x01geheim"}, {"path": "/", "headers": {"Authorization": "geheim\u20ac"}}):
            with pytest.raises(PeerError, match=f"^cannot reach Prometheus at {url}: the address, or") as caught:
                await prometheus.ask("GET", **wrong)  # type: ignore[arg-type]
            assert "geheim" not in str(caught.value)
        async with peer(url, 0.2) as impatient:
            with pytest.raises(PeerError, match=f"^Prometheus at {url} did not answer within 200ms$"):
                await impatient.ask("GET", "/trickle")
    async with peer(f"http://{'a' * 64}.example") as nobody:
        with pytest.raises(PeerError, match=r"^cannot reach Prometheus at http://aaa"):
            await nobody.ask("GET", "/")
    async with peer(f"http://127.0.0.1:{free_port()}") as nobody:
        with pytest.raises(PeerError, match=r"^cannot reach Prometheus at http://127\.0"):
            await nobody.ask("GET", "/")


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:10747", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:10747", True),
        ("http://localhost:1", True),
        ("http://127.0.0.1.example.org", False),
        ("http://192.0.2.1", False),
        ("https://remediator.example.org", False),
        ("http://localhost@192.0.2.1", False),
        ("nonsense", False),
    ],
)
def test_what_is_this_machine(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback
