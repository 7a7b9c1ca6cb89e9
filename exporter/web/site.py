"""A listening socket that speaks TLS, and bears clients that do not get done with the handshake."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

HANDSHAKE_SECONDS = 5.0
"""A handshake takes milliseconds. One that hangs is given up after so long."""
MAX_HANDSHAKES = 100
"""Handshakes at once. For one more the oldest is given up: who is stuck makes room for who is not."""
SHUTDOWN_SECONDS = 3.0
"""How long a client may take to agree to the end of its connection."""
_PAUSE_SECONDS = 0.1
"""After the system could not accept a connection."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class TlsSite(web.BaseSite):
    """As aiohttp's TCPSite. asyncio's own server sets no bound to the handshakes, and so to the file descriptors."""

    def __init__(self, runner: web.BaseRunner, host: str | None, port: int, context: ssl.SSLContext) -> None:
        super().__init__(runner, ssl_context=context)
        self._host = host
        self._port = port
        self._listeners: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: dict[asyncio.Task[None], None] = {}

    @property
    def name(self) -> str:
        return f"https://{self._host or '0.0.0.0'}:{self._port}"  # noqa: S104 - a name, as TCPSite has it

    async def start(self) -> None:
        await super().start()
        assert self._runner.server is not None
        # For the addresses only, of which a name or "all" may mean several. It never serves.
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server, self._host, self._port, start_serving=False
        )
        for bound in self._server.sockets:
            listener = bound.dup()
            self._listeners.append(listener)
            listener.setblocking(False)
            listener.listen(self._backlog)
            self._accepting.append(asyncio.create_task(self._accept(listener)))

    async def stop(self) -> None:
        await _end(self._accepting)
        await asyncio.sleep(0)  # so that every handshake has a transport, which its end closes
        await _end(list(self._handshakes))
        for listener in self._listeners:
            listener.close()
        await super().stop()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._keep_youngest(0)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._keep_youngest(MAX_HANDSHAKES - 1)
            task = asyncio.create_task(self._handshake(connection))
            self._handshakes[task] = None
            task.add_done_callback(self._forget)
            await asyncio.sleep(0)  # the handshake begins, and a flood leaves the others their turns

    def _keep_youngest(self, count: int) -> None:
        """Gives up the handshakes that have been under way for longest, but for so many."""
        for task in list(self._handshakes)[: max(0, len(self._handshakes) - count)]:
            self._forget(task)
            task.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)

    async def _handshake(self, connection: socket.socket) -> None:
        """Hands the connection to the application once its handshake is done."""
        assert self._runner.server is not None
        # What the client does wrong is told by the context; nothing of it is a fault of ours.
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                self._runner.server,
                connection,
                ssl=self._ssl_context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
