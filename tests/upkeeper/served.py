"""A remediator's API on a port of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from remediator.app import build_app
from remediator.control.core import Core


@asynccontextmanager
async def serve(core: Core) -> AsyncIterator[str]:
    """The API of a Core on a port of 127.0.0.1. Its URL."""
    async with listening(build_app(core, lambda: True)) as url:
        yield url


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """An application on a port of 127.0.0.1. Its URL."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
