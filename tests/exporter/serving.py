"""Servers on this machine for probes to ask, and the asking."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter.inventory.services import Probe
from exporter.probing.recorder import Recorder
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def probe(url: str, **settings: object) -> Probe:
    return Probe.model_validate({"url": url, **settings})


async def result(url: str, **settings: object) -> ProbeResult:
    return await run_probe("web", probe(url, **settings))


async def detailed(url: str, *secrets: str, **settings: object) -> tuple[ProbeResult, Recorder]:
    """The result with every step."""
    recorder = Recorder(detailed=True, secrets=secrets)
    return await run_probe("web", probe(url, **settings), recorder=recorder), recorder


@asynccontextmanager
async def answering(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of an HTTP server on this machine."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls, access_log=None)
    try:
        yield f"{server.scheme}://127.0.0.1:{server.port}"
    finally:
        await server.close()


@asynccontextmanager
async def speaking(raw: Raw, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a TCP server that does as it is told with each connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await raw(reader, writer)
        except (ConnectionError, EOFError):
            return  # the probe had enough
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(text: str, status: int = 200) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    return handle
