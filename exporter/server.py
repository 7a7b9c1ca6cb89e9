"""Serving an aiohttp application on an address as people write it."""

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

SHUTDOWN_SECONDS = 3.0
"""How long requests under way may take once the server is to stop."""


class CannotListen(Exception):
    """The address cannot be listened on. The message is one sentence for people, and names the address."""


def parse_listen(listen: str) -> tuple[str | None, int]:
    """Host and port of ``127.0.0.1:10746``, ``[::1]:10746`` or ``:10746``; no host means every address.

    Raises ValueError that says which form is right.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{listen!r} is no address to listen on; write host:port, for example 127.0.0.1:10746")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{listen!r} is no address to listen on; an IPv6 address needs brackets, as in [::1]:10746")
    return host or None, int(port)


@asynccontextmanager
async def serving(app: web.Application, listen: str) -> AsyncIterator[None]:
    """Serves the application within the block. Raises CannotListen, and ValueError as parse_listen does."""
    host, port = parse_listen(listen)
    # Compressed request bodies are for handlers to refuse: nobody here has a use for them.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, auto_decompress=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotListen(_explain(listen, port, error)) from error
        yield
    finally:
        await runner.cleanup()


def _explain(listen: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {listen}: port {port} is in use by another process"
    reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
    return f"cannot listen on {listen}: {reason}"
