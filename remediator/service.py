"""The remediator as a service: the Core behind its web server, deciding and tidying in the background."""

import asyncio
import gc
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from exporter.base.reload import ConfigWatch
from exporter.base.server import serving
from remediator import endpoints
from remediator.api.app import build_app, over_limit, own_credential
from remediator.control.core import Core, locked
from remediator.control.settings import Settings
from remediator.statedir import StateDir

if TYPE_CHECKING:
    from exporter.web.front import Front

log = structlog.get_logger(__name__)


class Remediator:
    """A Core whose settings follow the config file."""

    def __init__(self, config_path: Path | None, state: StateDir, front: "Front | None" = None) -> None:
        self._config_path = config_path
        self._state = state
        self._front = front
        self._settings = Settings.load(config_path, state)
        self.core = Core(state, self._settings, clock=time.time, trigger="api")
        self.watch = ConfigWatch(config_path, self.reload)
        self.core.registry.register(_Families(self.watch))
        if front is not None:
            self.core.registry.register(_Families(front))

    async def reload(self) -> None:
        """Puts the config file in force. Raises ConfigError, and then nothing has changed."""
        self._settings = Settings.load(self._config_path, self._state, before=self._settings)
        self.core.apply_settings(self._settings)

    async def serve(self, listen: str) -> None:
        """Serves until SIGTERM or SIGINT. Raises exporter.base.server.CannotListen, and ValueError for no address."""
        stop = _stop_signal()
        ready = False
        await self.core.open()
        try:
            # The address first: alerts that come while the engine starts are stored and wait for it.
            async with serving(build_app(self.core, lambda: ready), listen, self._front):
                await self.core.start_engine()
                async with asyncio.TaskGroup() as background:
                    work = [
                        background.create_task(self.core.decider.run()),
                        background.create_task(self.core.housekeeping()),
                        background.create_task(self.watch.run()),
                    ]
                    if self._front is not None:
                        work.append(background.create_task(self._front.run()))
                    # What the start left in memory stays: a full collection would walk it, and hold up every webhook
                    # for a tenth of a second.
                    gc.freeze()
                    ready = True
                    log.info("remediator listening", address=listen, state=str(self._state.root))
                    await stop.wait()
                    ready = False
                    for task in work:
                        task.cancel()
        finally:
            await self.core.close()
            self._settings.close()
        log.info("remediator stopped")


async def serve(config_path: Path | None, state_dir: Path | None, listen: str, web_config: Path | None = None) -> None:
    """Runs the remediator until SIGTERM or SIGINT. web_config: exporter-toolkit's file for TLS and users.

    Raises ConfigError, exporter.base.server.CannotListen, remediator.model.errors.ClientError when another one
    works on the same state directory, ValueError for a malformed ``listen``, and OSError when the state directory
    cannot be made.
    """
    state = StateDir.find(state_dir, os.environ)
    state.ensure()
    with locked(state):
        front = _front(web_config, state) if web_config is not None else None
        endpoints.update(state.root, remediator=endpoints.url_of(listen, tls=front is not None and front.tls))
        await Remediator(config_path, state, front).serve(listen)


def _front(web_config: Path, state: StateDir) -> "Front":
    from exporter.web.front import Front

    return Front(web_config, own_credential(state), over_limit)


class _Families:
    """What a part of the service tells of itself, as a collector of a metrics registry."""

    def __init__(self, part: "ConfigWatch | Front") -> None:
        self.collect = part.families


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
