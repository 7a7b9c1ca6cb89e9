"""The exporter as a service: the application, and the config read again on change."""

import asyncio
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from exporter.app import build_app
from exporter.build import Running, build
from exporter.config import Inventory, with_drill, with_secret_files
from exporter.configfile import load
from exporter.findings.found import secret_files
from exporter.health import summarize
from exporter.reload import ConfigWatch
from exporter.server import parse_listen, serving
from exporter.snapshot import Snapshot

log = structlog.get_logger(__name__)

REMEDIATOR_SECTIONS = frozenset({"remedies", "notify", "remediator", "prometheus", "alertmanager"})
"""Sections of the config file that are not the exporter's to read."""


def read_inventory(config_path: Path | None, state_dir: Path | None) -> Inventory:
    """The inventory of the config file, or the default one, with the drill's directory if there is a state directory.

    Raises exporter.configfile.ConfigError.
    """
    loaded = load(config_path, Inventory, other_sections=REMEDIATOR_SECTIONS)
    inventory = with_secret_files(loaded.value, secret_files(loaded.source.data))
    return with_drill(inventory, state_dir / "drill") if state_dir is not None else inventory


class Exporter:
    """The collectors of the inventory in force, behind one snapshot."""

    def __init__(self, config_path: Path | None, state_dir: Path | None) -> None:
        self._config_path = config_path
        self._state_dir = state_dir
        self._running: Running | None = None
        self.watch = ConfigWatch(config_path, self.reload, changed=lambda: self.snapshot.touch())
        self.snapshot = Snapshot(facts=self.watch.families)

    async def reload(self) -> None:
        """Puts the config file in force. Raises ConfigError, and then nothing has changed."""
        running, former = build(read_inventory(self._config_path, self._state_dir)), self._running
        if former is not None:
            running.continue_from(former)
        self._running = running
        await self.snapshot.replace(running.collectors, running.stale_after)
        if former is not None:
            former.engine.close()

    def health(self) -> tuple[int, Mapping[str, object]]:
        """As summarize. Without the services collector there is nothing to probe."""
        if self._running is None or self._running.services is None:
            return summarize((), time.time(), 0)
        return summarize(self._running.services.results, time.time(), self._running.stale_after)

    async def close(self) -> None:
        """Ends the collectors and closes their connections."""
        await self.snapshot.stop()
        if self._running is not None:
            self._running.engine.close()


async def serve(config_path: Path | None, listen: str, state_dir: Path | None) -> None:
    """Runs the exporter until SIGTERM or SIGINT.

    listen: ``host:port``. state_dir: where the drill's directory is, None without drills.
    Raises exporter.configfile.ConfigError, exporter.server.CannotListen, and ValueError for a malformed ``listen``.
    """
    parse_listen(listen)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    exporter = Exporter(config_path, state_dir)
    try:
        await exporter.reload()
        async with serving(build_app(exporter.snapshot, exporter.health), listen), asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(exporter.watch.run())
            log.info("exporter listening", address=listen, config=str(config_path) if config_path else None)
            await stop.wait()
            watching.cancel()
    finally:
        await exporter.close()
    log.info("exporter stopped")
