"""Small tools that tests share."""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import pytest

T = TypeVar("T")
HANG_GUARD = 60.0
"""Seconds after which what has a deadline of its own counts as hung, however slow the machine is."""
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


_LONGEST_PAUSE = 0.05
_NOT_GIVEN = object()


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T | None]], *, equals: object = ..., timeout: float = ..., what: str = ""
) -> T: ...
@overload
async def wait_until(
    condition: Callable[[], T | None], *, equals: object = ..., timeout: float = ..., what: str = ""
) -> T: ...
async def wait_until(
    condition: Callable[[], object], *, equals: object = _NOT_GIVEN, timeout: float = 60.0, what: str = ""
) -> object:
    """The first true result of condition, polled; with ``equals`` the first that equals it.

    When the time is over it fails, and says what was last seen: the last result, or the message of an AssertionError
    that the condition raised. That counts as "not yet", and so does an OSError: servers refuse connections until they
    listen. What cannot become true any more is said by another exception, such as Hopeless, which ends the waiting.
    """
    deadline = time.monotonic() + timeout
    pause = 0.01
    last: object = None
    while True:
        try:
            result = condition()
            if isinstance(result, Awaitable):
                result = await result
            if result == equals if equals is not _NOT_GIVEN else result:
                return result
            last = repr(result)
        except (OSError, AssertionError) as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            wanted = "" if equals is _NOT_GIVEN else f" to be {equals!r}"
            raise AssertionError(f"waited {timeout:g} s in vain for {what or condition}{wanted}: last was {last}")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


class Hopeless(Exception):
    """What was waited for cannot come any more; the message says why, such as what a process said that has ended."""


def long_form() -> bool:
    """Whether `make torture` runs: tests go over all that they know, and not only over what stands for it."""
    return bool(os.environ.get("UPKEEPER_TORTURE"))


LONG = pytest.mark.skipif(not long_form(), reason="its subject is tried otherwise too; `make torture` has this form")
"""On a test that takes long, of what shorter ones also show. Goes together with the mark torture."""


def rounds(name: str, short: int, long: int) -> int:
    """How much a test does: as ``UPKEEPER_NAME`` says, else its long form under `make torture`, else its short one."""
    given = os.environ.get(f"UPKEEPER_{name}")
    return int(given) if given else long if long_form() else short
