"""The exporter as a service: the application, and the config read again on change."""

import asyncio
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import Metric

from exporter.app import build_app
from exporter.base.listen import parse_listen
from exporter.base.notify import Notifier
from exporter.base.server import serving
from exporter.collectors.registry import Running, build
from exporter.configfile.file import load
from exporter.configfile.named_files import secret_files, secret_files_elsewhere
from exporter.configfile.reload import ConfigWatch
from exporter.health import summarize
from exporter.inventory.inventory import Inventory, with_drill, with_secret_files
from exporter.snapshot import Snapshot

if TYPE_CHECKING:
    from exporter.web.front import Front

log = structlog.get_logger(__name__)

REMEDIATOR_SECTIONS = frozenset(
    {
        "alertmanager",
        "chats",
        "console",
        "fleet",
        "forecasts",
        "guards",
        "images",
        "notify",
        "packages",
        "prometheus",
        "reboots",
        "reconcile",
        "remediator",
        "remedies",
        "schedule",
        "security",
        "state",
        "watchdog",
    }
)
"""Sections of the config file that are not the exporter's to read."""


def read_inventory(config_path: Path | None, state_dir: Path | None) -> Inventory:
    """The inventory of the config file, or the default one, with the drill's directory if there is a state directory.

    Raises ConfigError.
    """
    loaded = load(config_path, Inventory, other_sections=REMEDIATOR_SECTIONS)
    elsewhere = {name: part for name, part in loaded.source.data.items() if name in REMEDIATOR_SECTIONS}
    secret = [*secret_files(loaded.value), *secret_files_elsewhere(elsewhere)]
    inventory = with_secret_files(loaded.value, secret)
    return with_drill(inventory, state_dir / "drill") if state_dir is not None else inventory


class Exporter:
    """The collectors of the inventory in force, behind one snapshot."""

    def __init__(self, config_path: Path | None, state_dir: Path | None, web_config: Path | None = None) -> None:
        self._config_path = config_path
        self._state_dir = state_dir
        self._running: Running | None = None
        self.watch = ConfigWatch(config_path, self.reload, changed=lambda: self.snapshot.touch())
        self.front = self._front(web_config) if web_config is not None else None
        self.snapshot = Snapshot(facts=self._facts)

    async def reload(self) -> None:
        """Puts the config file in force. Raises ConfigError, and then nothing has changed."""
        inventory = read_inventory(self._config_path, self._state_dir)
        running, former = build(inventory, self._state_dir), self._running
        if former is not None:
            running.continue_from(former)
        self._running = running
        if former is not None:
            await self.snapshot.stop()
            await former.close()  # first, as a server may allow no more than one connection
        await self.snapshot.replace(running.collectors, running.stale_after)

    def _front(self, web_config: Path) -> "Front":
        from exporter.web.front import Front

        return Front(web_config, changed=lambda: self.snapshot.touch())

    def _facts(self) -> Iterable[Metric]:
        yield from self.watch.families()
        if self.front is not None:
            yield from self.front.families()

    def health(self) -> tuple[int, Mapping[str, object]]:
        """As summarize. Without the services collector there is nothing to probe."""
        if self._running is None or self._running.services is None:
            return summarize((), time.time(), 0)
        services = self._running.services
        # A round that is not due yet makes the last one no staler.
        stale_after = max(self._running.stale_after, 2 * max(services.interval, services.deadline))
        return summarize(services.results, time.time(), stale_after)

    async def close(self) -> None:
        """Ends the collectors and closes their connections."""
        await self.snapshot.stop()
        if self._running is not None:
            await self._running.close()


async def serve(config_path: Path | None, listen: str, state_dir: Path | None, web_config: Path | None = None) -> None:
    """Runs the exporter until SIGTERM or SIGINT.

    listen: ``host:port``. state_dir: where the drill's directory is, None without drills.
    web_config: the file for TLS and users, in exporter-toolkit's format.
    Raises ConfigError, exporter.base.server.CannotListen, and ValueError for a malformed ``listen``.
    """
    parse_listen(listen)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    exporter = Exporter(config_path, state_dir, web_config)
    manager = Notifier.of()
    try:
        manager.start()
        await exporter.reload()
        app = build_app(exporter.snapshot, exporter.health)
        async with serving(app, listen, exporter.front), asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(exporter.watch.run())]
            if exporter.front is not None:
                watching.append(tasks.create_task(exporter.front.run()))
            log.info("exporter listening", address=listen, config=str(config_path) if config_path else None)
            manager.ready(f"listening on {listen}")
            await stop.wait()
            manager.stopping()
            for task in watching:
                task.cancel()
    finally:
        await exporter.close()
        await manager.close()
    log.info("exporter stopped")
