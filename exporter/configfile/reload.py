"""Reading the config again on SIGHUP or when the file changes. What is wrong never replaces what works."""

import asyncio
import hashlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.configfile.problem import ConfigError, in_one_line

log = structlog.get_logger(__name__)

_STEP_MILLISECONDS = 500
"""The watching thread wakes up this often; by default it would do so 20 times a second."""
LOOK_SECONDS = 5.0
"""The file is looked at this often without an event too: network file systems send none."""

DIGEST_SECONDS = 5.0
"""How long the file may take to be read."""


class ConfigWatch:
    """Calls ``reload`` when the config may have changed, and keeps count of how that went.

    path: the config file, None when there is none; then only SIGHUP makes a difference.
    reload: puts the file's content in force, all of it or nothing. Raises ConfigError, or OSError.
    changed: called after each attempt, when ``families`` says something new.
    wall: Unix seconds.
    """

    def __init__(
        self,
        path: Path | None,
        reload: Callable[[], Awaitable[None]],
        changed: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._path = path.absolute() if path is not None else None
        self._reload = reload
        self._changed = changed
        self._wall = wall
        self._look_seconds = look_seconds
        self._requested = asyncio.Event()
        self._successful = True
        self._last_success = wall()
        self._digest = _digest(path)
        self._threads = KeyedThreads()

    def request(self) -> None:
        """Asks for the config to be read again: what SIGHUP does."""
        self._requested.set()

    async def run(self) -> None:
        """Watches until it is cancelled. To be run in the main thread, which alone gets signals."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.request)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._reload_on_request())
                if self._path is not None:
                    tasks.create_task(self._request_on_change(self._path))
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    def families(self) -> Iterable[Metric]:
        """Metric families about the reloads. Having started with the config counts as the first."""
        made = Families("upkeeper_config_last_reload")
        made.gauge("successful", "Whether the config was put in force when it was last read.").add((), self._successful)
        made.gauge("success_timestamp_seconds", "When the config was last put in force.").add((), self._last_success)
        return made.all

    async def _reload_on_request(self) -> None:
        while True:
            await self._requested.wait()
            self._requested.clear()
            try:
                try:
                    self._digest = await self._digest_in_time("request", self._path)
                except TimeoutError:
                    self._digest = None  # so that it is read once it answers again
                    raise
                await self._reload()
            except (ConfigError, OSError) as error:
                self._successful = False
                log.error("config not reloaded, the old one stays in force", error=in_one_line(error))
            except Exception:
                self._successful = False
                log.exception("config not reloaded, the old one stays in force")
            else:
                self._successful, self._last_success = True, self._wall()
                log.info("config reloaded", path=str(self._path) if self._path else None)
            self._changed()

    async def _request_on_change(self, path: Path) -> None:
        from watchfiles import awatch

        # The directory and not the file: editors and config maps put a new file in the old one's place.
        events = awatch(
            path.parent,
            recursive=False,
            step=_STEP_MILLISECONDS,
            rust_timeout=round(self._look_seconds * 1000),
            yield_on_timeout=True,
        )
        try:
            async for _ in events:
                try:
                    digest = await self._digest_in_time("change", path)
                except TimeoutError:
                    continue
                if digest is not None and digest != self._digest:
                    self.request()
        except (OSError, RuntimeError) as error:
            log.warning("config file is not watched; send SIGHUP after a change", path=str(path), error=str(error))

    async def _digest_in_time(self, why: str, path: Path | None) -> str | None:
        """As _digest, in a thread: a mount that hangs must hold up nobody else. Raises TimeoutError."""
        try:
            async with asyncio.timeout(DIGEST_SECONDS):
                return await self._threads.run(why, partial(_digest, path))
        except (TimeoutError, StillStuck):
            raise TimeoutError("the file system of the config does not answer") from None


def _digest(path: Path | None) -> str | None:
    """None for a file that cannot be read now: it may be about to be replaced."""
    with suppress(OSError):
        return hashlib.sha256(path.read_bytes()).hexdigest() if path else None
    return None
