"""The protocol's lines over standard input and output."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import Mapping
from typing import Any

from upkeeper.mcp.protocol import Server
from upkeeper.mcp.tools import Opens

LONGEST = 1_000_000
"""Bytes of a message."""


async def serve(opens: Opens) -> None:
    """Answers until the client closes its end, or sends a longer message than any is."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST)
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty():
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    else:  # a file, or no input at all, for which nobody can be told to wait
        reader.feed_data(await asyncio.to_thread(sys.stdin.buffer.read))
        reader.feed_eof()
    one_at_a_time = asyncio.Lock()

    async def send(message: Mapping[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        async with one_at_a_time:
            await asyncio.to_thread(_write, line)  # a client that does not read must not hold up the rest

    server = Server(opens, send)
    try:
        while line := await reader.readline():
            if line.strip():
                await server.take(line)
    except (ValueError, BrokenPipeError):
        pass  # too long, or nobody reads
    finally:
        await server.close()


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
