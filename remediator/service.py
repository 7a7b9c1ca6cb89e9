"""The remediator as a service: the Core behind its web server, deciding and tidying in the background."""

import asyncio
import gc
import hashlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

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
from remediator.control.journal import Journal, UnderWay
from remediator.control.opening import locked
from remediator.control.place import Place
from remediator.control.settings import Settings
from remediator.model.caller import Caller
from remediator.model.errors import EXIT_UNREACHABLE, ClientError, NoRoom
from remediator.statedir import StateDir
from remediator.store.presence import Presence
from remediator.store.room import ROOM_INTERVAL, explained
from remediator.store.unreachable import unreachable

if TYPE_CHECKING:
    from exporter.web.front import Front

API = Caller("api", "operator")
"""Who asks through the API: whoever has the operator's token."""

AGAIN = 5.0
"""Seconds until a database that was away is asked again."""
CLOSING = 30.0
"""Seconds in which a Core is closed whose database is away."""
SWITCH_INTERVAL = 0.001
"""Seconds that a thread keeps the interpreter while another waits for it."""
IDLE_AGAIN = 0.5
"""Seconds until it is looked again whether nothing is under way."""

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
        self._place = Place.of(self._settings.config, state)
        shares = isinstance(self._place.database, str)
        follows = self._settings.config.state.journal_after is not None
        # What one holds comes home also where the config no longer wants any.
        wanted = shares and (follows or state.journal.exists())
        self._journal = Journal(state, self._place, time.time, follows=follows) if wanted else None
        self._lost_name: ClientError | None = None
        self._stop = _Stop()
        self._away = False
        """Whether this turn has ended because the database that hosts share is away."""
        self.watch = ConfigWatch(config_path, self.reload)
        self._manager = Notifier.of()
        self.core = self._core_on(self._place)

    def _core_on(self, place: Place) -> Core:
        """A Core on the record, or on the journal while that is away."""
        on_journal = place.journal is not None
        core = Core(
            self._state,
            self._settings,
            clock=time.time,
            caller=API,
            on_room=self._on_room,
            place=place,
            journal=None if on_journal else self._journal,
            on_away=self._on_away,
        )
        core.registry.register(_Families(self.watch))
        if self._front is not None:
            core.registry.register(_Families(self._front))
        return core

    def _on_away(self) -> None:
        if self._journal is not None and self._journal.ready and not self._stop.told:
            self._away = True
            self.core.abandon()
            self._stop.turn.set()

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
        ClientError when another remediator has this host's name on a database that hosts share, or that database does
        not answer and there is no journal to go on with.

        On a full disk it reads, answers 503 to what cannot be stored, and begins to act as soon as there is room. Each
        turn is on one database: that of the config, or the journal while that is away.
        """
        self._stop.listen()
        try:
            self._manager.start()
            place: Place | None = self.core.place
            while place is not None:
                if place is not self.core.place:
                    self.core = self._core_on(place)
                place = await self._turn(listen)
        finally:
            self._settings.close()
            await self._manager.close()
            log.info("remediator stopped")

    async def _turn(self, listen: str) -> Place | None:
        """Serves on one database; the next one. None when told to stop."""
        stop = self._stop.begin_turn()
        self._away = False
        following: Place | None = None
        try:
            following = await self._claimed(stop)
            if following is None and not self._stop.told:
                await self._serve(listen, stop)
        except UnderWay:
            self._away = True  # what the journal has begun is gone on with there
        except SQLAlchemyError as error:
            if self._journal is None or self._journal.followed:
                away = unreachable(error, self.core.place.database)
                if away is None:
                    raise
                raise away from error
            log.warning("the database does not answer", reason=str(error).splitlines()[0])
            following = self._place
        finally:
            await self._close()
        if self._stop.told:
            return None
        if self._away and self._journal is not None:
            return await self._on_journal(exact=self.core.left_exact)
        if following is None and self.core.place.journal is not None:
            return self._place
        return following

    async def _close(self) -> None:
        """Closes the Core. What hangs of one whose database is away ends with the process, which is started again."""
        try:
            async with asyncio.timeout(CLOSING if self._away else None):
                await self.core.close()
        except TimeoutError:
            log.error("what was asked of the database does not end: this process does, to be started again")
            os._exit(EXIT_UNREACHABLE)

    async def _claimed(self, stop: asyncio.Event) -> Place | None:
        """Takes this host's name; None once it is taken. Where the database does not answer for so long as the config
        says, the journal.
        """
        after = self._settings.config.state.journal_after
        until = time.monotonic() + (after or 0.0)
        while not stop.is_set():
            try:
                await self.core.membership.claim()
            except ClientError as error:
                if self._journal is None or after is None or error.exit_code != EXIT_UNREACHABLE:
                    raise
                left = until - time.monotonic()
                if left <= 0:
                    return await self._on_journal(exact=False, instead_of=error)
                self._manager.status(str(error))
                await is_set_within(stop, min(left, AGAIN))
            else:
                return None
        return None

    async def _on_journal(self, *, exact: bool, instead_of: ClientError | None = None) -> Place:
        assert self._journal is not None, "it is configured"
        try:
            place = await self._journal.take(exact=exact)
        except LookupError as error:
            why = "the database does not answer" if instead_of is None else str(instead_of)
            raise ClientError(f"{why}; its journal cannot be taken up: {error}", EXIT_UNREACHABLE) from error
        log.warning("the database is away, this host goes on with its journal", exact=exact)
        return place

    async def _serve(self, listen: str, stop: asyncio.Event) -> None:
        ready = False
        if not await self._with_room(self.core.open, stop):
            return
        # The address first: alerts that come while the engine starts are stored and wait for it.
        await self.core.listen()
        acts = lambda: ready and not self.core.watchdog.reason()  # noqa: E731
        tls = self._front is not None and self._front.tls
        app = build_app(self.core, acts, self._waits, tls=tls, users=self._front)
        async with serving(app, listen, self._front):
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
                    background.create_task(self.core.discovery_files.keep()),
                    background.create_task(self.watch.run()),
                ]
                if self.core.membership.presence is not None:
                    work.append(background.create_task(self._present(self.core.membership.presence, stop)))
                if self._journal is not None:
                    keeps = self._journal.run() if self.core.place.journal is None else self._return(stop)
                    work.append(background.create_task(keeps))
                if self._front is not None:
                    work.append(background.create_task(self._front.run()))
                if not announced and not self._announce(listen):
                    work.append(background.create_task(self._announce_later(listen)))
                # What the start left in memory stays: a full collection would walk it, and hold up every webhook
                # for a tenth of a second.
                gc.freeze()
                # Threads store and decide beside the event loop, which would wait 5 ms, several times, for each webhook
                # that comes meanwhile.
                sys.setswitchinterval(SWITCH_INTERVAL)
                ready = True
                log.info("remediator listening", address=listen, state=str(self._state.root))
                self._manager.ready(f"listening on {listen}")
                await stop.wait()
                ready = False
                if self._stop.told:
                    self._manager.stopping()
                for task in work:
                    task.cancel()
        if self._lost_name is not None:
            raise self._lost_name

    async def _return(self, stop: asyncio.Event) -> None:
        """Ends the turn on the journal once the database answers and nothing is under way."""
        assert isinstance(self._place.database, str), "a journal is of a database that hosts share"
        presence = Presence(self._place.database, self.core.host, lambda: None)
        pause = AGAIN
        while True:
            await asyncio.sleep(pause)
            if not await presence.answers():
                pause = AGAIN
            elif await self.core.is_idle():
                log.info("the database answers again, what the journal holds is brought home", host=self.core.host)
                stop.set()
                return
            else:
                pause = IDLE_AGAIN

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


class _Stop:
    """Whether this process was told to end, and the event by which a turn ends, for that or another reason."""

    def __init__(self) -> None:
        self.told = False
        self.turn = asyncio.Event()

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._tell)

    def _tell(self) -> None:
        self.told = True
        self.turn.set()

    def begin_turn(self) -> asyncio.Event:
        self.turn = asyncio.Event()
        if self.told:
            self.turn.set()
        return self.turn
