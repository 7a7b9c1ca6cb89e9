"""Starts processes, keeps them running, and ends them in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import structlog

from upkeeper.up.child import Child, Echo, ProcessSpec

log = structlog.get_logger(__name__)

POLL = 0.05
"""Seconds between two looks at whether a process is ready."""
PATIENCE = 15.0
"""Seconds after which a start says what it waits for: Prometheus reads its whole write-ahead log first."""
SETTLED = 60.0
"""Seconds after which a process that stayed up has its earlier ends forgiven."""

Probe = Callable[[str], Awaitable[bool]]
"""Whether a URL answers 200."""


class StartError(Exception):
    """A process ended before it was ready. ``tail`` is the end of its log, when it has one of its own."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{name} {ending(status)} before it was ready")
        self.tail = tail


def backoff(ends: int) -> float:
    """Seconds to wait before a process that has ended ``ends`` times (from 1 on) is started again: 1, 2, 4 ... 30."""
    return min(30.0, 2.0 ** (ends - 1))


def ending(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


class Supervisor:
    """Runs processes in the order given and ends them in the opposite one."""

    def __init__(self, specs: Sequence[ProcessSpec], probe: Probe, echo: Echo = None) -> None:
        self._specs = specs
        self._probe = probe
        self._echo = echo
        self._children: dict[str, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._hurry = asyncio.Event()

    def pid(self, name: str) -> int:
        """The process id of a process, which may just have ended. Raises KeyError for one that was never started."""
        return self._children[name].pid

    async def start(self) -> None:
        """Starts all at once and waits until each is ready, however long that takes. Then keeps them running.

        Raises StartError when one ended first, OSError when one cannot be run; the others run on: call ``stop``.
        """
        for spec in self._specs:
            self._children[spec.name] = await Child.start(spec, self._echo)
        waits = [asyncio.create_task(self._first_ready(self._children[spec.name])) for spec in self._specs]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._keepers = [asyncio.create_task(self._keep(spec)) for spec in self._specs]

    def reload(self, name: str) -> None:
        """Sends a process SIGHUP, on which it reads its config again."""
        self._children[name].send(signal.SIGHUP)

    def hurry(self) -> None:
        """Makes a ``stop`` that goes on, or comes, kill what has not ended yet."""
        self._hurry.set()

    async def stop(self) -> bool:
        """Ends all, the last first. Returns whether each ended by itself when it was told to."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        clean = True
        for name, child in reversed(self._children.items()):
            in_time = await child.stop(self._hurry)
            if not in_time:
                log.warning("process had to be killed", process=name, waited_seconds=child.spec.stop_within)
            clean = clean and in_time
        return clean

    async def _first_ready(self, child: Child) -> None:
        ended = asyncio.create_task(child.wait())
        loop = asyncio.get_running_loop()
        notice = loop.call_later(PATIENCE, lambda: log.info("still waiting", process=child.spec.name))
        try:
            while not await self._probe(child.spec.ready):
                await asyncio.wait({ended}, timeout=POLL)
                if ended.done():
                    raise StartError(child.spec.name, ended.result(), child.tail)
        finally:
            notice.cancel()
            ended.cancel()

    async def _keep(self, spec: ProcessSpec) -> None:
        """Starts the process again each time it ends, later and later while it does so in quick succession."""
        clock = asyncio.get_running_loop().time
        ends, since = 0, clock()
        while True:
            status = await self._children[spec.name].wait()
            ends = 1 if clock() - since > SETTLED else ends + 1
            delay = backoff(ends)
            log.error("process ended", process=spec.name, how=ending(status), starting_again_in_seconds=delay)
            await asyncio.sleep(delay)
            since = clock()
            await self._start_again(spec)

    async def _start_again(self, spec: ProcessSpec) -> None:
        while True:
            try:
                self._children[spec.name] = await Child.start(spec, self._echo)
            except OSError as error:
                # For example no memory left to fork. It may pass.
                log.error("process cannot be started", process=spec.name, error=str(error))
                await asyncio.sleep(backoff(5))
            else:
                log.info("process started again", process=spec.name, pid=self.pid(spec.name))
                return
