"""The TCP connection of a probe.

Plain sockets instead of asyncio's streams: closing one takes effect at once and cannot hang, nothing is read ahead,
and a new connection costs a fraction.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence

from exporter.probing.failure import ProbeFailure
from exporter.probing.recorder import Recorder
from exporter.probing.resolve import Address

_TURN_BYTES = 16 * 1024
"""A peer that sends faster than we read never makes us wait; so others get their turn after so many bytes. No read
takes more either: what is made of them takes its time too, when they are ten thousand tiny parts of an answer."""


class Stream:
    """A connection. Its methods raise OSError."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._loop = asyncio.get_running_loop()
        self._in_turn = 0

    async def read(self, limit: int) -> bytes:
        """At least one byte and ``limit`` at most; none at the end."""
        data = await self._loop.sock_recv(self.socket, min(limit, _TURN_BYTES))
        self._in_turn += len(data)
        if self._in_turn >= _TURN_BYTES:
            self._in_turn = 0
            await asyncio.sleep(0)
        return data

    async def write(self, data: bytes) -> None:
        """Sends it all."""
        await self._loop.sock_sendall(self.socket, data)

    def close(self) -> None:
        """Ends the connection at once, without goodbye. May be called again."""
        self.socket.close()


async def connect(addresses: Sequence[Address], recorder: Recorder, deadline: float) -> Stream:
    """A connection to the first address that takes one. Raises ProbeFailure, and TimeoutError at the deadline.

    deadline: on the event loop's clock; an address may use up its share of the time that is left.
    """
    recorder.enter("connect")
    loop = asyncio.get_running_loop()
    failures: list[str] = []
    reasons: set[str] = set()
    for index, address in enumerate(addresses):
        left = len(addresses) - index
        until = deadline if left == 1 else loop.time() + (deadline - loop.time()) / left
        try:
            async with asyncio.timeout_at(until):
                stream = await _connect_one(address)
        except TimeoutError:
            if left == 1:
                raise
            failure = "no answer"
        except OSError as error:
            failure = os.strerror(error.errno) if error.errno else str(error)
        else:
            recorder.note("connected", address=str(address))
            return stream
        recorder.note("not connected", address=str(address), reason=failure)
        failures.append(f"{address}: {failure}")
        reasons.add(failure)
    brief = f"cannot connect: {', '.join(sorted(reasons))}"
    raise ProbeFailure(f"cannot connect to {', '.join(failures)}", brief)


async def _connect_one(address: Address) -> Stream:
    made = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, address.sockaddr)
        if is_reflection(made):
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    except BaseException:
        made.close()
        raise
    return Stream(made)


def is_reflection(connected: socket.socket) -> bool:
    """Whether a socket is connected to itself.

    That happens where nobody listens on a port of this machine, and the kernel gives just this port to the one who
    connects: both ends then open at the same time (RFC 9293, section 3.5).
    """
    return bool(connected.getsockname() == connected.getpeername())
