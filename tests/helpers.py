"""Small tools that tests share."""

import asyncio
import os
import random
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import pytest

T = TypeVar("T")
REQUIRE_ALL = os.environ.get("UPKEEPER_REQUIRE_ALL") == "1"


def missing(reason: str) -> None:
    """Skips the test with the reason; under UPKEEPER_REQUIRE_ALL=1 fails it."""
    if REQUIRE_ALL:
        pytest.fail(f"UPKEEPER_REQUIRE_ALL=1, and {reason}")
    pytest.skip(reason)


def require_program(name: str, package: str) -> str:
    """The path of a program on PATH, or the test is skipped (failed) with the package that has it."""
    path = shutil.which(name)
    if path is None:
        missing(f"{name} is not on PATH (Debian package {package})")
    assert path is not None
    return path


@overload
async def wait_until(condition: Callable[[], Awaitable[T | None]], *, timeout: float = 30.0, what: str = "") -> T: ...
@overload
async def wait_until(condition: Callable[[], T | None], *, timeout: float = 30.0, what: str = "") -> T: ...
async def wait_until(condition: Callable[[], object], *, timeout: float = 30.0, what: str = "") -> object:
    """The first true result of condition, polled; fails with the last result when the time is over.

    An OSError counts as "not yet": servers refuse connections until they listen.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            result = condition()
            if isinstance(result, Awaitable):
                result = await result
            if result:
                return result
            last = result
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what or condition}: last was {last!r}")
        await asyncio.sleep(0.05)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    return free_port_range(1)


def free_port_range(count: int) -> int:
    """The first of ``count`` consecutive free TCP ports of 127.0.0.1.

    Below those that the kernel gives to outgoing connections (32768 and up): a client that polls a port nobody listens
    on yet could otherwise be given that very port, or its neighbour, to come from.
    """
    for _ in range(100):
        base = random.randrange(15_000, 32_000 - count)
        if all(_is_free(port) for port in range(base, base + count)):
            return base
    raise AssertionError(f"no {count} consecutive free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
