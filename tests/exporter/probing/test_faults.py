"""Targets that misbehave: a probe of one fails by its own timeout, and leaves nothing behind, however often."""

import asyncio
import ctypes
import gc
import socket
import struct
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import psutil
import pytest

from exporter.collectors.services import ServicesCollector
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.services import Probe, Service
from exporter.probing.run import run_probe
from exporter.probing.stream import Stream
from tests.exporter.serving import answering, probe, result, says, speaking
from tests.exporter.tls import make_certificate
from tests.helpers import rounds as as_asked
from tests.helpers import wait_until
from tests.ports import free_port

HEAD = b"HTTP/1.1 200 OK\r\n"
FAST = "40ms"
MIB = 1024 * 1024


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Accepts, reads, and never answers."""
    while await reader.read(65536):
        pass


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends its answer byte by byte, from the first of its head on."""
    for byte in HEAD + b"Content-Length: 1000\r\n\r\n" + b"." * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.005)


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends 1 GB."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 1000000000\r\n\r\n")
    for _ in range(1_000_000_000 // 65536 + 1):
        writer.write(b"." * 65536)
        await writer.drain()


async def pour_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends a body without end in chunks of one byte, each with its frame."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n.\r\n" * 10_000)
        await writer.drain()


async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Redirects to itself."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Resets the connection once it was asked."""
    await reader.read(1)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends what is no HTTP."""
    writer.write(b"\x00\xff babble \r\n\r\n babble\r\n\r\n")


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends a header that does not end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"X: ")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends headers without end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    while True:
        writer.write(b"X: x\r\n" * 10_000)
        await writer.drain()


async def endless_hints(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends answers that only announce another, without end and as fast as they are read."""
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
        await writer.drain()


CHEAP = [hang, drip, redirect, reset, babble]
DEAR = [pour, endless_header, endless_headers]


@pytest.mark.parametrize("fault", [*CHEAP, endless_header, endless_headers])
async def test_a_probe_fails_within_its_time(fault: object) -> None:
    async with speaking(fault) as port:  # type: ignore[arg-type]
        found = await result(f"http://127.0.0.1:{port}/", timeout="300ms", follow_redirects=True)
    assert not found.success
    assert found.detail
    assert "unexpected" not in found.detail


async def test_others_get_their_turn_while_one_floods_us() -> None:
    """Its bytes are there whenever we read, so that reading never waits."""
    ours, peers = socket.socketpair()
    with ours, peers:
        ours.setblocking(False)
        peers.setblocking(False)
        stream, turns = Stream(ours), 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        for _ in range(50):
            peers.send(b"x" * 65536)
            taken = 0
            while taken < 65536:
                taken += len(await stream.read(65536))
        counting.cancel()
    assert turns >= 50


@pytest.mark.slow
@pytest.mark.parametrize("fault", [endless_hints, pour_chunks])
async def test_answers_that_are_all_frame_are_cut_short(fault: object) -> None:
    async with speaking(fault) as port:  # type: ignore[arg-type]
        found = await result(f"http://127.0.0.1:{port}/", timeout="1h")
    assert found.detail == "more than 262144 bytes came in addition to the body"


@pytest.mark.slow
async def test_a_target_that_misbehaves_costs_its_own_figures_only() -> None:
    async with AsyncExitStack() as stack:
        ports = {fault.__name__: await stack.enter_async_context(speaking(fault)) for fault in [*CHEAP, *DEAR]}
        url = await stack.enter_async_context(answering(says("hello")))
        urls = {name: f"http://127.0.0.1:{port}/" for name, port in ports.items()} | {"good": url}
        timeouts = {"pour": "30s", "good": "30s"}  # they have to be well, on a busy machine too
        services = [
            Service.model_validate({"name": name, "probes": [{"url": target, "timeout": timeouts.get(name, "2s")}]})
            for name, target in urls.items()
        ]
        collector = ServicesCollector(services, CollectorSettings(deadline=40.0))
        [success, *_] = await collector.collect()
    values = {sample.labels["target"]: sample.value for sample in success.samples}
    assert values["good"]
    assert [name for name, value in values.items() if value] == ["pour", "good"]  # of 1 GB the beginning is enough


_LIBC = ctypes.CDLL(None)


def _figures() -> tuple[int, int]:
    return threading.active_count(), psutil.Process().num_fds()


def _resident() -> int:
    """Bytes, without what is free: the tests before these leave holes, which fill and empty as they come."""
    gc.collect()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


async def _flat(probes: Sequence[Probe], rounds: int, at_once: int, may_grow: int) -> None:
    """Runs so many rounds of all the probes; threads and descriptors are then as before, and memory nearly so.

    Memory goes up and down by some MiB with what is under way, so the middle of each half is compared.
    """

    async def one_round() -> None:
        results = await asyncio.gather(*(run_probe("web", each) for each in probes))
        assert not any("unexpected" in each.detail for each in results)

    async def some(count: int) -> None:
        for _ in range(count // at_once):
            await asyncio.gather(*(one_round() for _ in range(at_once)))

    async def settled() -> None:
        await wait_until(lambda: len(asyncio.all_tasks()) <= 2, what="connections of the servers to end")

    await some(max(at_once, rounds // 5))
    await settled()
    before = _figures()
    memory: list[int] = []
    for _ in range(10):
        await some(rounds // 10)
        await settled()
        memory.append(_resident())
    await wait_until(lambda: _figures() <= before, what=f"threads and descriptors to be {before}, as before")
    assert median(memory[5:]) - median(memory[:5]) < may_grow, memory


@pytest.fixture
async def cheap(tmp_path: Path) -> AsyncIterator[list[Probe]]:
    """A probe of each target that fails at little cost, of ones that are well, and of ones with TLS."""
    own = make_certificate(tmp_path)
    async with AsyncExitStack() as stack:
        found = [
            probe(
                f"http://127.0.0.1:{await stack.enter_async_context(speaking(fault))}/",
                timeout=FAST,
                follow_redirects=fault is redirect,
            )
            for fault in CHEAP
        ]
        secure = await stack.enter_async_context(speaking(babble, own.server_context()))
        silent = await stack.enter_async_context(speaking(hang))
        yield [
            *found,
            probe(f"https://127.0.0.1:{secure}/", timeout="2s"),  # refused certificate
            probe(f"https://127.0.0.1:{secure}/", timeout="2s", tls_verify=False),
            probe(f"https://127.0.0.1:{silent}/", timeout=FAST),
            probe(f"tcp://127.0.0.1:{silent}", timeout=FAST, expect="x"),
            probe(f"http://127.0.0.1:{free_port()}/"),
            probe("http://localhost:1/"),
        ]


@pytest.mark.slow
@pytest.mark.torture
async def test_nothing_is_left_of_many_rounds(cheap: list[Probe]) -> None:
    await _flat(cheap, rounds=as_asked("ROUNDS", 300, 1000), at_once=20, may_grow=4 * MIB)


@pytest.mark.slow
async def test_nothing_is_left_of_floods() -> None:
    async with AsyncExitStack() as stack:
        probes = [
            probe(f"http://127.0.0.1:{await stack.enter_async_context(speaking(fault))}/", timeout="5s")
            for fault in DEAR
        ]
        await _flat(probes, rounds=60, at_once=3, may_grow=4 * MIB)


@pytest.mark.slow
async def test_nothing_is_left_of_probes_that_are_cancelled_at_any_moment(cheap: list[Probe]) -> None:
    async def cancelled(each: Probe, after: float) -> None:
        task = asyncio.create_task(run_probe("web", each))
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def rounds(count: int) -> None:
        for number in range(count):
            await asyncio.gather(*(cancelled(each, number % 12 / 1000) for each in cheap))

    await rounds(24)
    await wait_until(lambda: len(asyncio.all_tasks()) <= 2, what="connections of the servers to end")
    before = _figures()
    await rounds(120)
    await wait_until(lambda: _figures() <= before, what=f"threads and descriptors to be {before}, as before")
