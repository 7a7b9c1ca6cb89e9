"""Blocking calls that several probes want at the same time: one thread makes the call, and all share the result."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from exporter.base.threads import KeyedThreads

T = TypeVar("T")


class SharedCalls:
    """Runs each blocking call in a thread, at most one for each key at a time; who asks meanwhile gets its result.

    So a resolver that hangs costs one thread for each name, however many probes wait for it, and wait again.
    """

    def __init__(self) -> None:
        self._threads = KeyedThreads()
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """The result of ``function()``, or what it raises. The call continues when a caller is cancelled.

        Raises StillStuck when a call of an event loop that has ended is stuck.
        """
        task = self._under_way.get(key)
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = asyncio.ensure_future(self._threads.run(key, function))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        result: T = await asyncio.shield(task)
        return result

    def _forget(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]
        if not done.cancelled():
            done.exception()  # taken note of, should nobody wait any more
