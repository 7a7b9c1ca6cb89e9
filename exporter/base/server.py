"""Serving an aiohttp application on an address as people write it."""

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from aiohttp import web

from exporter.base.errors import UpkeeperError
from exporter.base.listen import is_loopback, parse_listen

log = structlog.get_logger(__name__)

SHUTDOWN_SECONDS = 3.0
"""How long requests under way may take once the server is to stop."""

IDLE_SECONDS = 300.0
"""How long a connection may stay without a whole request: longer than any usual time between two scrapes, and an end to
those of clients that are gone or only hold them. aiohttp's own is an hour."""


class Front(Protocol):
    """What may stand before an application: see exporter.web.front."""

    def attach(self, app: web.Application) -> None: ...
    def site(self, runner: web.BaseRunner, host: str | None, port: int) -> web.BaseSite: ...
    def announce(self, address: str) -> None: ...


class CannotListen(UpkeeperError):
    """The address cannot be listened on. The message is one sentence for people, and names the address."""


@asynccontextmanager
async def serving(app: web.Application, listen: str, front: Front | None = None) -> AsyncIterator[None]:
    """Serves the application within the block, behind what stands before it.

    Raises CannotListen, and ValueError as parse_listen does.
    """
    host, port = parse_listen(listen)
    if front is not None:
        front.attach(app)
    # Compressed request bodies are for handlers to refuse: nobody here has a use for them.
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
        keepalive_timeout=IDLE_SECONDS,
        auto_decompress=False,
    )
    await runner.setup()
    try:
        try:
            await (web.TCPSite(runner, host, port) if front is None else front.site(runner, host, port)).start()
        except OSError as error:
            raise CannotListen(_explain(listen, port, error)) from error
        if front is not None:
            front.announce(listen)
        elif not is_loopback(listen):
            log.warning(
                "everybody who can reach the port, or read the traffic, can read what it serves",
                address=listen,
                remedy="--web.config.file with TLS and users",
            )
        yield
    finally:
        await runner.cleanup()


def _explain(listen: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {listen}: port {port} is in use by another process"
    reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
    return f"cannot listen on {listen}: {reason}"
