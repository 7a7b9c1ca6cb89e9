"""Ctrl-C and SIGTERM as a cancellation, so that cleaning up runs to its end however often somebody presses Ctrl-C."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from remediator.model.errors import EXIT_INTERRUPTED, ClientError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def interruptible() -> AsyncIterator[None]:
    """The block is cancelled by the first SIGINT or SIGTERM; more of them change nothing. Raises ClientError then."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    received = False

    def cancel() -> None:
        nonlocal received
        if not received:
            received = True
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, cancel)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise
        task.uncancel()
        raise ClientError("interrupted; nothing is left behind", EXIT_INTERRUPTED) from None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
