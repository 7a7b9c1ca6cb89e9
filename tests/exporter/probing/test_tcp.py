"""TCP probes that talk: a line sent, a line expected."""

import asyncio
import socket

import pytest

from exporter.probing.stream import is_reflection
from exporter.probing.tcp import MAX_LINES_BYTES
from tests.exporter.serving import Raw, detailed, result, speaking


def scripted(*parts: bytes, hears: bool = False) -> Raw:
    """Waits for a line if ``hears``, says its parts, and ends the connection."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if hears and await reader.readline() != b"PING\r\n":
            return
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return speak


@pytest.mark.parametrize(
    ("parts", "expect", "success"),
    [
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "^SSH-2.0-", True),
        ([b"220-smtp.example.org\r\n", b"220 ready\r\n"], "^220 ", True),
        ([b"SS", b"H-2.0-", b"x\n"], "^SSH-2.0-x$", True),
        ([b"no line end"], "end$", True),
        ([b"HTTP/1.1 400\r\n\r\n"], "^SSH", False),
        ([], "^SSH", False),
    ],
)
async def test_a_line_is_expected(parts: list[bytes], expect: str, success: bool) -> None:
    async with speaking(scripted(*parts)) as port:
        found = await result(f"tcp://127.0.0.1:{port}", expect=expect)
    assert found.success is success
    assert found.detail == ("connected" if success else "no line matches expect before the connection ended")
    assert "processing" in found.phases


async def test_a_line_is_sent_before() -> None:
    async with speaking(scripted(b"-LOADING\r\n", b"+PONG\r\n", hears=True)) as port:
        url = f"tcp://127.0.0.1:{port}"
        found, recorder = await detailed(url, send="PING", expect=r"^\+PONG")
        assert (await result(url, send="PING\r\n", expect=r"^\+PONG")).success
        assert not (await result(url, send="PANG", expect=r"^\+PONG")).success
        assert (await result(url, send="PING")).success
    assert found.success
    assert [step.what for step in recorder.steps] == [
        "resolved", "connected", "sent", "received", "received", "condition",
    ]  # fmt: skip


async def test_a_server_that_says_nothing_or_too_much() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with speaking(hang) as port:
        found = await result(f"tcp://127.0.0.1:{port}", expect="x", timeout="100ms")
        assert found.detail == "no complete answer within 0.1 s, while in the phase processing"
    async with speaking(pour) as port:
        found = await result(f"tcp://127.0.0.1:{port}", expect="y")
        assert found.detail == f"no line matches expect before {MAX_LINES_BYTES} bytes came"


def test_a_socket_that_reached_itself_reached_nobody() -> None:
    with socket.socket() as own, socket.socket() as listening, socket.socket() as other:
        own.bind(("127.0.0.1", 0))
        own.connect(own.getsockname())
        assert is_reflection(own)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        other.connect(listening.getsockname())
        assert not is_reflection(other)


async def test_what_comes_is_in_the_steps_and_not_in_the_result() -> None:
    async with speaking(scripted(b"hunter2\r\n")) as port:
        found, recorder = await detailed(f"tcp://127.0.0.1:{port}", expect="^SSH")
    assert "hunter2" not in found.detail
    assert "hunter2" in repr(recorder.steps)
