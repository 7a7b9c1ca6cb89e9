"""How far the action under way has come: told by a task while it works, kept in memory, gone when the action ends.

A task says ``progress.tell(done, total)`` from wherever it works, a thread included; nobody has to hand anything down.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import NamedTuple

from exporter.base.units import format_bytes
from remediator.model.shapes.runs import ActionView, ProgressView
from remediator.model.words import ProgressUnit as Unit


class Progress(NamedTuple):
    """done, total: in the unit; total is None where nobody can know it before the end."""

    done: int
    total: int | None
    unit: Unit
    doing: str
    """What the action is at, where it does several things one after the other; empty otherwise."""


_listener: ContextVar[Callable[[Progress], None] | None] = ContextVar("progress", default=None)


def tell(done: int, total: int | None = None, unit: Unit = "bytes", doing: str = "") -> None:
    """Says how far the action has come. Cheap, and does nothing where nobody listens.

    More than the total was an estimate that did not hold: then there is no total. Less than nothing is nothing.
    """
    listener = _listener.get()
    if listener is not None:
        done = max(0, done)
        listener(Progress(done, total if total and done <= total else None, unit, doing))


def in_words(progress: ProgressView, actions: Sequence[ActionView]) -> str:
    """How far an action is, as ``back-up volume:n8n: 1.2 GiB of 3.4 GiB``."""
    at = [action for action in actions if action["position"] == progress["position"]]
    what = ": ".join(filter(None, [*(f"{action['kind']} {action['object']}" for action in at), progress["doing"]]))
    done, total = progress["done"], progress["total"]
    match progress["unit"]:
        case "bytes":
            far = format_bytes(done) + (f" of {format_bytes(total)}" if total else "")
        case "percent":
            far = f"{done} %"
        case unit:
            far = (f"{done:,} of {total:,}" if total else f"{done:,}") + f" {unit}"
    return f"{what}: {far}" if what else far


def coarse(progress: ProgressView) -> object:
    """The same for progress that nobody needs to be told of anew: steps of 2 % or, without a total, of a quarter."""
    done, total = progress["done"], progress["total"]
    far = 50 * done // total if total else len(f"{done:b}") * 4 + int(f"{done:b}000"[1:3], 2)
    return progress["position"], progress["doing"], far


class Counter:
    """Counts what an action has done so far. Made where the action works; any thread of its own may add to it."""

    def __init__(self, total: int | None = None, unit: Unit = "bytes", doing: str = "") -> None:
        self._listener = _listener.get()
        self._lock = threading.Lock()
        self._done = 0
        self._rest = unit, doing
        self._total = total

    def add(self, count: int) -> None:
        if self._listener is None:
            return
        with self._lock:
            self._done = max(0, self._done + count)
            total = self._total if self._total and self._done <= self._total else None
            self._listener(Progress(self._done, total, *self._rest))


class Underway:
    """The progress of each run's action, by the run's id. What it holds is of this process alone."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Progress]] = {}

    @contextmanager
    def of(self, run_id: int, position: int) -> Iterator[None]:
        """Listens to what is told within the block about the action at this position of a run."""

        def heard(progress: Progress) -> None:
            self._known[run_id] = position, progress

        token = _listener.set(heard)
        try:
            yield
        finally:
            _listener.reset(token)
            self._known.pop(run_id, None)

    def seen(self, run_id: int) -> tuple[int, Progress] | None:
        """The position of the action under way, and how far it is; None where nothing was told."""
        return self._known.get(run_id)


@asynccontextmanager
async def watched(size: Callable[[], int], total: int | None, every: float = 1.0) -> AsyncIterator[None]:
    """Tells how many bytes there are, again and again while the block works: for what another program writes.

    size: bytes, looked up in a thread; what cannot be looked up (OSError) is not told.
    """

    async def look() -> None:
        while True:
            await asyncio.sleep(every)
            with suppress(OSError):
                tell(await asyncio.to_thread(size), total)

    looking = asyncio.ensure_future(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])
