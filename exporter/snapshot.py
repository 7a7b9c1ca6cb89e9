"""What the collectors found last, as rendered bytes. A scrape joins them and waits for nothing."""

import asyncio
import platform
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client.core import Metric

from exporter import __version__
from exporter.base.errors import UpkeeperError
from exporter.base.families import Families
from exporter.collectors.collector import Collector
from exporter.exposition import Format, Rendered, compress, join, render

log = structlog.get_logger(__name__)


STOP_SECONDS = 2.5
"""How long a collector that is told to stop may take: to kill a program, to close a connection."""


class UnknownCollector(UpkeeperError):
    """Asked for by a name that no running collector has."""


@dataclass(slots=True)
class Section:
    """A collector with its last good values and how it fares."""

    collector: Collector
    rendered: Rendered = field(default_factory=Rendered)
    success: bool | None = None
    """Of the last collection; None before the first has ended, at the latest at its deadline."""
    duration: float = 0.0
    """Seconds, of the last collection."""
    last_success: float | None = None
    """Unix seconds."""
    failing_since: float | None = None
    """On the monotonic clock: the first failure after the last success."""
    error: str = ""
    abandoned: asyncio.Task[object] | None = None
    """A collection that went past its deadline and has not ended since, although it was cancelled."""


class Snapshot:
    """Runs each collector in the background, in its own error boundary, one collection at a time.

    The values of a collector that fails stay for ``stale_after`` seconds, then disappear until it succeeds again.

    facts: further families, asked for whenever something changes; call ``touch`` when they do.
    wall: Unix seconds. monotonic: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        facts: Callable[[], Iterable[Metric]] = tuple,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._facts = facts
        self._wall = wall
        self._monotonic = monotonic
        self._stale_after = float("inf")
        self._sections: dict[str, Section] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._bodies: dict[tuple[Format, bool], bytes] = {}

    @property
    def sections(self) -> Sequence[Section]:
        """In the order of the exposition."""
        return list(self._sections.values())

    @property
    def ready(self) -> bool:
        """Whether every collector has ended its first collection, well or by its deadline."""
        return all(section.success is not None for section in self._sections.values())

    async def replace(self, collectors: Sequence[Collector], stale_after: float) -> None:
        """Ends the running collectors and starts these, at once.

        One of the same name keeps the values and the standing of its predecessor until its first collection has ended.
        """
        await self.stop()
        self._stale_after = stale_after
        before, self._sections = self._sections, {}
        for collector in collectors:
            section = before.get(collector.name) or Section(collector)
            section.collector = collector
            section.abandoned = None
            self._sections[collector.name] = section
            self._tasks.append(asyncio.create_task(self._run(section), name=f"collector {collector.name}"))
        self.touch()

    async def stop(self) -> None:
        """Ends the collectors, with up to STOP_SECONDS for them to end what they started. Their values stay."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ending = [section.abandoned for section in self._sections.values() if section.abandoned is not None]
        if ending:
            await asyncio.wait(ending, timeout=STOP_SECONDS)

    def touch(self) -> None:
        """Forgets the joined bodies, because something in them changed."""
        self._bodies.clear()

    def body(self, form: Format, gzip: bool = False) -> bytes:
        """The whole exposition; compressed if ``gzip``."""
        self._drop_stale()
        body = self._bodies.get((form, gzip))
        if body is None:
            body = compress(self.body(form)) if gzip else self._join(self.sections, form)
            self._bodies[form, gzip] = body
        return body

    def part(self, names: Collection[str], form: Format) -> bytes:
        """The exposition of these collectors alone. Raises UnknownCollector."""
        self._drop_stale()
        unknown = sorted(set(names) - self._sections.keys())
        if unknown:
            known = ", ".join(self._sections)
            raise UnknownCollector(f"no collector {', '.join(map(repr, unknown))} is running; these are: {known}")
        return self._join([section for name, section in self._sections.items() if name in names], form)

    def _join(self, sections: Sequence[Section], form: Format) -> bytes:
        about = render([*_standing(sections), *_build_info(), *self._facts()])
        return join([*(section.rendered for section in sections), about], form)

    def _drop_stale(self) -> None:
        now = self._monotonic()
        for section in self._sections.values():
            since = section.failing_since
            if since is not None and now - since > self._stale_after and section.rendered.text:
                log.warning("values went stale", collector=section.collector.name)
                section.rendered = Rendered()
                self.touch()

    async def _run(self, section: Section) -> None:
        while True:
            start = self._monotonic()
            await self._collect(section)
            await asyncio.sleep(max(0.0, section.collector.interval - (self._monotonic() - start)))

    async def _collect(self, section: Section) -> None:
        start = self._monotonic()
        try:
            rendered = render(await self._bounded(section))
        except Exception as error:  # noqa: BLE001 - the error boundary: whatever a collector raises is its own failure
            self._failed(section, error)
        else:
            if section.success is False:
                log.info("collector recovered", collector=section.collector.name)
            section.rendered = rendered
            section.success, section.error, section.failing_since = True, "", None
            section.last_success = self._wall()
        section.duration = self._monotonic() - start
        self.touch()

    async def _bounded(self, section: Section) -> Sequence[Metric]:
        """One collection, given up at its deadline even if it does not let itself be cancelled.

        Raises TimeoutError, and what the collector raises.
        """
        if section.abandoned is not None and not section.abandoned.done():
            raise TimeoutError("the last collection has not ended yet")
        deadline = section.collector.deadline
        task = asyncio.ensure_future(section.collector.collect())
        try:
            await asyncio.wait([task], timeout=deadline)
        finally:
            if not task.done():
                task.cancel()
                task.add_done_callback(_retrieve)
                section.abandoned = task
        if task is section.abandoned:
            raise TimeoutError(f"not finished within {deadline:g} s")
        return task.result()

    def _failed(self, section: Section, error: Exception) -> None:
        message = str(error) or type(error).__name__
        if section.success is not False or section.error != message:
            surprise = None if isinstance(error, OSError) else error
            log.warning("collector failed", collector=section.collector.name, error=message, exc_info=surprise)
        if section.failing_since is None:
            section.failing_since = self._monotonic()
        section.success, section.error = False, message


def _retrieve(task: asyncio.Task[object]) -> None:
    """Takes note of how an abandoned task ended, which nobody waits for; asyncio would complain otherwise."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.debug("abandoned collection failed", error=str(error))


def _standing(sections: Iterable[Section]) -> Iterable[Metric]:
    made = Families("upkeeper_collector", "collector")
    success = made.gauge("success", "Whether the collector's last collection succeeded.")
    duration = made.gauge("duration_seconds", "How long the collector's last collection took.")
    last_success = made.gauge(
        "last_success_timestamp_seconds", "When the collector last succeeded; its values are as of then."
    )
    for section in sections:
        name = [section.collector.name]
        if section.success is not None:
            success.add(name, section.success)
            duration.add(name, section.duration)
        last_success.add(name, section.last_success)
    return made.all


def _build_info() -> Iterable[Metric]:
    made = Families("upkeeper_build")
    facts = {"version": __version__, "python": platform.python_version()}
    made.info("Version of Upkeeper and of the Python that runs it.").add((), facts)
    return made.all
