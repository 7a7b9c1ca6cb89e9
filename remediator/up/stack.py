"""The processes of one `upkeeper up`, from the first start to the last end."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import aiohttp
import structlog

from exporter.discovery import discover
from exporter.docker.engine import DockerEngine
from exporter.reload import ConfigWatch
from remediator import endpoints
from remediator.endpoints import Endpoints
from remediator.errors import EXIT_FAILED, ClientError
from remediator.up import specs
from remediator.up.banner import Facts, banner
from remediator.up.child import ProcessSpec
from remediator.up.find import ALERTMANAGER, PROMETHEUS
from remediator.up.ports import url
from remediator.up.prepare import Prepared
from remediator.up.supervisor import StartError, Supervisor
from remediator.views.screen import Screen

log = structlog.get_logger(__name__)

_DOCKER_SECONDS = 5.0
_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)


class Stack:
    """Starts what the prepared asks for, keeps it running until it is told to stop, and stops it."""

    def __init__(self, prepared: Prepared, screen: Screen) -> None:
        self._prepared = prepared
        self._screen = screen
        self._stop = asyncio.Event()
        self._had_terminal = _has_terminal()

    async def run(self) -> int:
        """Runs until SIGTERM or SIGINT; a second one kills what has not ended by then.

        Returns 0 when all ended as they were told to, else 1. Raises ClientError when something does not start.
        """
        async with aiohttp.ClientSession(timeout=_PROBE_TIMEOUT) as session:

            async def answers(address: str) -> bool:
                try:
                    async with session.get(address) as response:
                        return response.status == 200
                except (aiohttp.ClientError, TimeoutError):
                    return False

            echo = self._echo if self._prepared.options.verbose else None
            supervisor = Supervisor(self._specs(), answers, echo)
            with self._signals(supervisor):
                try:
                    await self._until_stopped(supervisor)
                finally:
                    self._note("stopping")
                    clean = await supervisor.stop()
                    endpoints.remove(self._prepared.layout.state.root)
        return 0 if clean else EXIT_FAILED

    async def _until_stopped(self, supervisor: Supervisor) -> None:
        starting, stopped = asyncio.create_task(supervisor.start()), asyncio.create_task(self._stop.wait())
        watching: asyncio.Task[None] | None = None
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            starting.result()
            await self._announce()
            watching = asyncio.create_task(self._watch(supervisor).run())
            await stopped
        except StartError as error:
            raise ClientError("\n".join([str(error), *error.tail]), EXIT_FAILED) from error
        except OSError as error:
            raise ClientError(f"cannot start: {error}", EXIT_FAILED) from error
        finally:
            unfinished = [task for task in (starting, stopped, watching) if task is not None]
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
            # The watch of the config had taken it over, and let go of it with its end.
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hung_up)

    def _specs(self) -> list[ProcessSpec]:
        """In the order of the start. The end is the other way round: no alert is then sent to what is gone already."""
        prepared = self._prepared
        layout, ports, options = prepared.layout, prepared.ports, prepared.options
        wanted = [
            make(layout, ports, prepared.config_path, verbose=options.verbose, log_format=options.log_format)
            for make in (specs.exporter, specs.remediator)
        ]
        if ALERTMANAGER in prepared.programs:
            wanted.append(specs.alertmanager(layout, ports, prepared.programs[ALERTMANAGER]))
        if PROMETHEUS in prepared.programs:
            wanted.append(specs.prometheus(layout, ports, prepared.programs[PROMETHEUS]))
        return wanted

    async def _announce(self) -> None:
        prepared = self._prepared
        where = self._endpoints()
        try:
            endpoints.write(prepared.layout.state.root, where)
        except OSError as error:  # as on a full disk, where what runs is needed most
            log.warning("commands will not find what runs here by themselves", error=str(error))
        engine = DockerEngine(prepared.config.docker.host, _DOCKER_SECONDS)
        try:
            found = await discover(prepared.config, engine)
        finally:
            engine.close()
        facts = Facts(
            config=prepared.config,
            config_path=prepared.config_path,
            example=prepared.share / "upkeeper.yml",
            state_dir=prepared.layout.state.root,
            endpoints=where,
            found=found,
            root=os.geteuid() == 0,
            command=prepared.command,
            options=prepared.command_options,
        )
        for line in (*banner(facts), *prepared.instructions()):
            self._screen.line(*line)

    def _endpoints(self) -> Endpoints:
        prepared = self._prepared
        peers = prepared.config.prometheus, prepared.config.alertmanager
        prometheus, alertmanager = (peer.url.rstrip("/") if peer is not None else None for peer in peers)
        return Endpoints(
            exporter=url(prepared.ports.exporter),
            remediator=url(prepared.ports.remediator),
            prometheus=url(prepared.ports.prometheus) if PROMETHEUS in prepared.programs else prometheus,
            alertmanager=url(prepared.ports.alertmanager) if ALERTMANAGER in prepared.programs else alertmanager,
        )

    def _watch(self, supervisor: Supervisor) -> ConfigWatch:
        """Takes over a changed config, as the exporter and the remediator do by themselves, and new rules on SIGHUP."""

        async def reload() -> None:
            self._hung_up()
            if self._stop.is_set():
                return
            laid = self._prepared.reload()
            for program, name, changed in (
                (ALERTMANAGER, "alertmanager", laid.alertmanager),
                (PROMETHEUS, "prometheus", laid.prometheus),
            ):
                if program in self._prepared.programs:
                    log.info("reloading", process=name, changed=changed)
                    supervisor.reload(name)

        return ConfigWatch(self._prepared.config_path, reload)

    @contextmanager
    def _signals(self, supervisor: Supervisor) -> Iterator[None]:
        def told() -> None:
            if self._stop.is_set():
                supervisor.hurry()
            self._stop.set()

        loop = asyncio.get_running_loop()
        handlers = {signal.SIGINT: told, signal.SIGTERM: told, signal.SIGHUP: self._hung_up}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _hung_up(self) -> None:
        """SIGHUP is a wish for a reload, unless it comes because the terminal was closed."""
        if self._had_terminal and not _has_terminal():
            self._stop.set()

    def _echo(self, name: str, line: str) -> None:
        self._note(f"{name} | {line}")

    def _note(self, text: str) -> None:
        # The terminal or the reader of a pipe may be gone. That must not keep anything from being stopped.
        with suppress(OSError):
            self._screen.note(text)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError:
        return False
    return True
