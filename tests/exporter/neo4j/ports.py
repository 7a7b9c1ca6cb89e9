"""Ports on which something listens that is no Neo4j server, or a bad one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_BOLT_5 = b"\x00\x00\x00\x05"


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and never answers."""
    await reader.read()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks HTTP."""
    await reader.read(20)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks nothing that is known."""
    await reader.read(20)
    writer.write(bytes(range(256)) * 64)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes as soon as it is asked."""
    await reader.read(20)


async def never_log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shakes hands as Bolt does, and answers no more."""
    await reader.read(20)
    writer.write(_BOLT_5)
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shakes hands, and then sends an answer without end, byte by byte."""
    await reader.read(20)
    writer.write(_BOLT_5 + b"\xff\xff")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"\x01")
            await writer.drain()
            await asyncio.sleep(0.01)


def refusing(message: str) -> Answer:
    """Shakes hands, and refuses the login with this message, which may be 60,000 bytes long."""

    def text(value: str) -> bytes:
        return b"\xd1" + len(value.encode()).to_bytes(2, "big") + value.encode()

    failure = b"\xb1\x7f\xa2" + b"".join(
        text(part) for part in ("code", "Neo.ClientError.Security.Unauthorized", "message", message)
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(20)
        writer.write(_BOLT_5)
        await reader.read(65536)
        writer.write(len(failure).to_bytes(2, "big") + failure + b"\x00\x00")

    return answer


@contextlib.asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    """The port of 127.0.0.1 where each connection is answered so. All of them are closed in the end."""
    under_way: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            with contextlib.suppress(ConnectionError):
                await answer(reader, writer)
        finally:
            under_way.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await server.wait_closed()
