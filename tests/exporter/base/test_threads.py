"""Blocking calls in threads that may get stuck."""

import asyncio
import threading

import pytest

from exporter.base.threads import KeyedThreads, StillStuck
from tests.helpers import wait_until


async def test_results_and_errors_come_back() -> None:
    threads = KeyedThreads()
    assert await threads.run("key", lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await threads.run("key", lambda: 1 // 0)


async def test_a_stuck_call_occupies_its_key_alone_until_it_returns() -> None:
    threads = KeyedThreads()
    release = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await threads.run("stuck", release.wait)
    for _ in range(3):
        with pytest.raises(StillStuck):
            await threads.run("stuck", lambda: None)
    assert await threads.run("other", lambda: "fine") == "fine"
    release.set()

    async def free() -> bool:
        try:
            return await threads.run("stuck", lambda: True)
        except StillStuck:
            return False

    await wait_until(free)


async def test_stuck_threads_do_not_keep_the_process_alive() -> None:
    threads = KeyedThreads()
    release = threading.Event()
    call = asyncio.ensure_future(threads.run("stuck", release.wait))
    await wait_until(lambda: [thread for thread in threading.enumerate() if thread.name == "blocking 'stuck'"])
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "blocking 'stuck'")
    release.set()
    assert await call
