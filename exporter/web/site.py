"""A listening socket that speaks TLS, and bears clients that do not get done with the handshake."""

import asyncio
import ssl

from aiohttp import web

HANDSHAKE_SECONDS = 5.0
"""A handshake takes milliseconds. One that hangs costs a file descriptor for so long."""
SHUTDOWN_SECONDS = 3.0
"""How long a client may take to agree to the end of its connection."""


class TlsSite(web.BaseSite):
    """As aiohttp's TCPSite, with limits of its own in place of a minute for the handshake."""

    def __init__(self, runner: web.BaseRunner, host: str | None, port: int, context: ssl.SSLContext) -> None:
        super().__init__(runner, ssl_context=context)
        self._host = host
        self._port = port

    @property
    def name(self) -> str:
        return f"https://{self._host or '0.0.0.0'}:{self._port}"  # noqa: S104 - a name, as TCPSite has it

    async def start(self) -> None:
        await super().start()
        assert self._runner.server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
