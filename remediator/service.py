"""The remediator as a service: the Core behind its web server, deciding and tidying in the background."""

import asyncio
import gc
import hashlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.base.complaints import Complaints
from exporter.base.notify import Notifier
from exporter.base.server import serving
from exporter.base.wakeup import is_set_within
from exporter.configfile.reload import ConfigWatch
from remediator import endpoints
from remediator.app import build_app, over_limit, own_credential
from remediator.audit.canonical import canonical
from remediator.audit.record import Entry
from remediator.control.again import to_be_tried_again
from remediator.control.core import Core
from remediator.control.opening import locked
from remediator.control.place import Place
from remediator.control.settings import Settings
from remediator.model.caller import Caller
from remediator.model.errors import ClientError, NoRoom
from remediator.statedir import StateDir
from remediator.store.room import ROOM_INTERVAL, explained

if TYPE_CHECKING:
    from exporter.web.front import Front
    from remediator.store.presence import Presence

API = Caller("api", "operator")
"""Who asks through the API: whoever has the operator's token."""

log = structlog.get_logger(__name__)


class Remediator:
    """A Core whose settings follow the config file."""

    def __init__(self, config_path: Path | None, state: StateDir, front: "Front | None" = None) -> None:
        self._config_path = config_path
        self._state = state
        self._front = front
        self._settings = Settings.load(config_path, state)
        self._settings.make_tasks()
        self._room = Complaints(log, "state cannot be written", "state can be written again", "directory")
        self._on_room = partial(self._room.note, str(state.root))
        place = Place.of(self._settings.config, state)
        self.core = Core(state, self._settings, clock=time.time, caller=API, on_room=self._on_room, place=place)
        self._lost_name: ClientError | None = None
        self.watch = ConfigWatch(config_path, self.reload)
        self._manager = Notifier.of()
        self.core.registry.register(_Families(self.watch))
        if front is not None:
            self.core.registry.register(_Families(front))

    async def reload(self) -> None:
        """Puts the config file in force. Raises ConfigError, and then nothing has changed."""
        self._settings = Settings.load(self._config_path, self._state, before=self._settings)
        self._settings.make_tasks()
        self.core.apply_settings(self._settings)
        with to_be_tried_again("the labels of this host could not be noted"):
            await self.core.membership.relabel()
        await self._record_config()

    async def _record_config(self) -> None:
        """Which config is in force from now on: a hash of all that is set, with the defaults that are in force."""
        effective = canonical(self._settings.config.model_dump(mode="json")).encode()
        body = {
            "upkeeper": __version__,
            "file": None if self._config_path is None else str(self._config_path),
            "sha256": hashlib.sha256(effective).hexdigest(),
        }
        await self.core.auditing.note(Entry("config.loaded", time.time(), body=body))

    async def serve(self, listen: str) -> None:
        """Serves until SIGTERM or SIGINT. Raises exporter.base.server.CannotListen, ValueError for no address, and
        ClientError when another remediator has this host's name on a database that hosts share.

        On a full disk it reads, answers 503 to what cannot be stored, and begins to act as soon as there is room.
        """
        stop = _stop_signal()
        ready = False
        try:
            self._manager.start()
            await self.core.membership.claim()
            if not await self._with_room(self.core.open, stop):
                return
            # The address first: alerts that come while the engine starts are stored and wait for it.
            await self.core.listen()
            acts = lambda: ready and not self.core.watchdog.reason()  # noqa: E731
            tls = self._front is not None and self._front.tls
            async with serving(
                build_app(self.core, acts, self._waits, tls=tls, users=self._front), listen, self._front
            ):
                announced = self._announce(listen)
                if not await self._with_room(self.core.start_engine, stop):
                    return
                await self._record_config()
                await self.core.membership.arrive(self._address(listen))
                async with asyncio.TaskGroup() as background:
                    work = [
                        background.create_task(self.core.decider.run()),
                        background.create_task(self.core.queue.queue_again()),
                        background.create_task(self.core.scheduler.run()),
                        background.create_task(self.core.upkeep.housekeeping()),
                        background.create_task(self.core.reconciler.run()),
                        background.create_task(self.core.keeper.run()),
                        background.create_task(self.core.auditing.run()),
                        background.create_task(self.core.ballast.keep()),
                        background.create_task(self.core.chats.run()),
                        background.create_task(self.core.telling.run()),
                        background.create_task(self.core.driver.run()),
                        background.create_task(self.watch.run()),
                    ]
                    if self.core.membership.presence is not None:
                        work.append(background.create_task(self._present(self.core.membership.presence, stop)))
                    if self._front is not None:
                        work.append(background.create_task(self._front.run()))
                    if not announced and not self._announce(listen):
                        work.append(background.create_task(self._announce_later(listen)))
                    # What the start left in memory stays: a full collection would walk it, and hold up every webhook
                    # for a tenth of a second.
                    gc.freeze()
                    ready = True
                    log.info("remediator listening", address=listen, state=str(self._state.root))
                    self._manager.ready(f"listening on {listen}")
                    await stop.wait()
                    ready = False
                    self._manager.stopping()
                    for task in work:
                        task.cancel()
            if self._lost_name is not None:
                raise self._lost_name
        finally:
            await self.core.close()
            self._settings.close()
            await self._manager.close()
            log.info("remediator stopped")

    async def _present(self, presence: "Presence", stop: asyncio.Event) -> None:
        try:
            await presence.run()
        except ClientError as error:
            self._lost_name = error
            stop.set()

    def _address(self, listen: str) -> str:
        return endpoints.url_of(listen, tls=self._front is not None and self._front.tls)

    def _waits(self) -> str:
        """Why it does not act, where there is more to say than that the engine has not started yet."""
        return self._room.reason(str(self._state.root)) or self.core.watchdog.reason()

    def _announce(self, listen: str) -> bool:
        """Records for commands where it listens, and with which config. False if there is no room for that."""
        try:
            with explained(self._state.root):
                endpoints.update(self._state.root, remediator=self._address(listen))
                endpoints.write_config(self._state.root, self._config_path)
        except NoRoom:
            return False  # the database, which matters more, says so
        return True

    async def _announce_later(self, listen: str) -> None:
        done = False
        while not done:
            await asyncio.sleep(ROOM_INTERVAL)
            done = self._announce(listen)

    async def _with_room(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Does what needs room on the disk, as soon as there is some. False when told to stop before."""
        while not stop.is_set():
            try:
                await work()
            except NoRoom as full:
                self._on_room(str(full))
                self._manager.status(str(full))
                await is_set_within(stop, ROOM_INTERVAL)
            else:
                self._on_room("")
                return True
        return False


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
        await Remediator(config_path, state, front).serve(listen)


def _front(web_config: Path, state: StateDir) -> "Front":
    from exporter.web.front import Front

    return Front(web_config, own_credential(state), over_limit)


class _Families:
    """A part of the service's own metrics, as a collector for a registry."""

    def __init__(self, part: "ConfigWatch | Front") -> None:
        self.collect = part.families


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
