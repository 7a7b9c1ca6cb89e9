"""A sandbox while it stands.

Its network has no address of the host's: Docker's own "internal" keeps containers from the world, and leaves them the
host at the network's gateway with all that listens there on every address. Names outside are asked of an address that
nobody has. Nothing is published, nothing of the host is mounted, and no capability is left that could change a route.
"""

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.base.errors import UpkeeperError
from exporter.base.units import format_bytes, format_duration
from exporter.docker.engine import DockerEngine, EngineRefused, is_gone
from remediator.sandbox import leftovers
from remediator.sandbox.guest import Guest, Limits, Said
from remediator.sandbox.labels import labels
from remediator.sandbox.network import open_network

if TYPE_CHECKING:
    from docker import APIClient

_NOBODY = "192.0.2.1"
"""Of the addresses that documentation may use: RFC 5737."""
_SEALED = {
    "com.docker.network.bridge.inhibit_ipv4": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "false",
}
_OUTPUT_BYTES = 64 * 1024
_ERROR = re.compile(r"\b(?:fatal|panic|error|exception|denied|refused|failed)\b", re.IGNORECASE)
_LOOK_SECONDS = 2.0
_CALL_SECONDS = 60.0
_NOT_FOUND = (126, 127)
"""Exit statuses of a shell, and of an image's own entry point, for a program that is not there."""


class SandboxEnded(UpkeeperError):
    """What was to be done in a sandbox could not be done. The message says what, and why."""


class GuestFailed(SandboxEnded):
    """A guest did not do what was asked of it: it ended, was not ready in time, or a command in it did not end."""


class TooSlow(GuestFailed):
    """A command in a guest did not end within the time that it had."""


class Sandbox:
    """Makes volumes and containers in one sandbox. Made by ``sandbox``."""

    def __init__(self, engine: DockerEngine, name: str, limits: Limits, its_labels: dict[str, str]) -> None:
        self.name = name
        self._engine = engine.patient(_CALL_SECONDS)
        self._limits = limits
        self._labels = its_labels

    async def volume(self, name: str) -> str:
        """Makes a volume; where on this machine its files are. Raises UpkeeperError."""
        made = await self._engine.call(
            lambda client: client.create_volume(self._own(name), driver="local", labels=self._labels)
        )
        return str(made["Mountpoint"])

    async def start(self, guest: Guest) -> None:
        """Starts a container. Raises SandboxEnded where the engine does not have its image, or cannot start it."""
        try:
            await self._engine.call(partial(self._start, guest=guest))
        except EngineRefused as error:
            if is_gone(error):
                raise SandboxEnded(
                    f"the image {guest.image} of {guest.name} is not on this engine; docker pull it first"
                ) from None
            raise SandboxEnded(f"{guest.name} cannot be started: {error}") from error

    async def end(self, guest: str) -> None:
        """Ends a container, and removes it; volumes of the sandbox stay. Raises UpkeeperError."""
        await self._engine.call(lambda client: client.remove_container(self._own(guest), force=True, v=True))

    @asynccontextmanager
    async def network(self, guest: str) -> AsyncIterator[int]:
        """A handle of the network of a guest that runs, for remediator.sandbox.network.within.

        Raises GuestFailed, NoNetwork.
        """
        pid = await self._pid(guest)
        handle = await asyncio.to_thread(open_network, pid)
        try:
            if await self._pid(guest) != pid:
                raise GuestFailed(f"{guest} has been started anew")
            yield handle
        finally:
            os.close(handle)

    async def rest(self, guest: str, seconds: float) -> bool:
        """Stops a guest in order, to be started again by ``go_on``; whether its files are in volumes."""
        engine = self._engine.patient(seconds + _CALL_SECONDS)
        await engine.call(lambda client: client.stop(self._own(guest), timeout=round(seconds)))
        found = await self._engine.call(lambda client: client.inspect_container(self._own(guest)))
        return any(mount["Type"] == "volume" for mount in found["Mounts"])

    async def go_on(self, guest: str) -> None:
        """Starts a guest that rests. Raises UpkeeperError."""
        await self._engine.call(lambda client: client.start(self._own(guest)))

    async def alone(self, guest: Guest, seconds: float) -> Said:
        """Starts a container whose command is to end by itself, and waits for that; its volumes stay.

        Raises SandboxEnded as start does, and GuestFailed where it does not end in time.
        """
        await self.start(guest)
        try:
            return await self._ended(guest.name, seconds)
        except TimeoutError:
            raise GuestFailed(f"{guest.name} did not end within {format_duration(seconds)}") from None
        finally:
            with suppress(UpkeeperError):  # else it goes with the sandbox
                await self.end(guest.name)

    async def beside(self, guest: str, name: str, command: Sequence[str], seconds: float) -> Said | None:
        """Runs a command in a container of its own, of the image and with the volumes of a guest that rests.

        None where the image has no such program. Raises GuestFailed where it does not end in time.
        """
        try:
            await self._engine.call(partial(self._start_beside, guest=guest, name=name, command=command))
            said = await self._ended(name, seconds)
        except TimeoutError:
            raise GuestFailed(f"{command[0]} beside {guest} did not end within {format_duration(seconds)}") from None
        except EngineRefused as error:
            if _no_such_program(str(error)):
                return None
            raise GuestFailed(f"{command[0]} cannot be run beside {guest}: {error}") from error
        finally:
            with suppress(UpkeeperError):  # else it goes with the sandbox
                await self.end(name)
        return None if said.status in _NOT_FOUND else said

    async def _ended(self, name: str, seconds: float) -> Said:
        """How a container ends. Raises TimeoutError, UpkeeperError."""
        engine = self._engine.patient(self._limits.seconds, threads=4)
        async with asyncio.timeout(seconds):
            ended = await engine.call(lambda client: client.wait(self._own(name)))
        logs = await self._engine.call(lambda client: client.logs(self._own(name), tail=200))
        return Said(int(ended["StatusCode"]), logs.decode("utf-8", "replace")[-_OUTPUT_BYTES:])

    async def run(self, guest: str, command: Sequence[str], seconds: float) -> Said:
        """Runs a command in a guest that runs. Raises GuestFailed where it does not end in time, or cannot begin."""
        container = self._own(guest)
        engine = self._engine.patient(self._limits.seconds, threads=4)
        call = engine.call(partial(_execute, container=container, command=command))
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            raise TooSlow(f"{command[0]} in {guest} did not end within {format_duration(seconds)}") from None
        except EngineRefused as error:
            await self._require_running(guest)
            raise GuestFailed(f"{command[0]} cannot be run in {guest}: {error}") from error

    async def until(self, guest: str, command: Sequence[str], seconds: float) -> None:
        """Runs a command in a guest over and over, until it succeeds. Raises GuestFailed, with its last words."""
        deadline = time.monotonic() + seconds
        last = Said(0, "")
        while (left := deadline - time.monotonic()) > 0:
            await self._require_running(guest)
            try:
                last = await self.run(guest, command, left)
            except TooSlow:
                if not last.status:  # it has never ended: that is what there is to say
                    raise
                break
            if last.status == 0:
                return
            await asyncio.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
        raise GuestFailed(f"{guest} was not ready within {format_duration(seconds)}: {last_line(last)}")

    async def _require_running(self, guest: str) -> None:
        state: dict[str, Any] = (await self._engine.call(lambda client: client.inspect_container(self._own(guest))))[
            "State"
        ]
        if not state["Running"]:
            logs = await self._engine.call(lambda client: client.logs(self._own(guest), tail=20))
            why = "it was out of memory" if state.get("OOMKilled") else f"exit status {state.get('ExitCode')}"
            said = Said(1, logs.decode("utf-8", "replace"))
            raise GuestFailed(f"{guest} has ended, {why}: {last_line(said)}")

    async def _pid(self, guest: str) -> int:
        await self._require_running(guest)
        found = await self._engine.call(lambda client: client.inspect_container(self._own(guest)))
        return int(found["State"]["Pid"])

    def _own(self, name: str) -> str:
        return f"{self.name}-{name}"

    def _start(self, client: "APIClient", guest: Guest) -> None:
        binds = {self._own(volume): {"bind": at, "mode": "rw"} for volume, at in guest.volumes.items()}
        ends: Any = {self.name: client.create_endpoint_config(aliases=[guest.name])}
        made = client.create_container(
            guest.image,
            list(guest.command) if guest.command is not None else None,
            name=self._own(guest.name),
            hostname=guest.name,
            environment=dict(guest.environment),
            labels=self._labels,
            host_config=self._host(client, network_mode=self.name, dns=[_NOBODY], dns_search=["."], binds=binds),
            networking_config=client.create_networking_config(ends),
        )
        client.start(made["Id"])

    def _start_beside(self, client: "APIClient", guest: str, name: str, command: Sequence[str]) -> None:
        image = client.inspect_container(self._own(guest))["Image"]
        made = client.create_container(
            image,
            list(command),
            name=self._own(name),
            labels=self._labels,
            host_config=self._host(client, network_mode="none", volumes_from=[self._own(guest)]),
        )
        client.start(made["Id"])

    def _host(self, client: "APIClient", **more: Any) -> Any:
        from docker.types import LogConfig

        limits = self._limits
        return client.create_host_config(
            mem_limit=limits.memory_bytes,
            memswap_limit=limits.memory_bytes,
            nano_cpus=round(limits.cpus * 1e9),
            pids_limit=limits.processes,
            cap_drop=["NET_RAW"],
            security_opt=["no-new-privileges:true"],
            publish_all_ports=False,
            restart_policy={"Name": "no"},
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "1"}),
            **more,
        )


@asynccontextmanager
async def sandbox(
    engine: DockerEngine,
    purpose: str,
    limits: Limits,
    *,
    clock: Callable[[], float] = time.time,
    free: Callable[[str], int] | None = None,
) -> AsyncIterator[Sandbox]:
    """A sandbox for the time of the block; then nothing of it is left, however the block ends.

    What an earlier one for the same purpose left behind is removed first: its maker has ended. clock: Unix seconds.
    free: bytes that are free where a directory is. Raises UpkeeperError; SandboxEnded where a limit was reached.
    """
    await leftovers.end(engine, [each for each in await leftovers.list_sandboxes(engine) if each.purpose == purpose])
    name = f"upkeeper-sandbox-{secrets.token_hex(4)}"
    its_labels = labels(name, purpose, clock() + limits.seconds)
    try:
        root: str = (await engine.call(lambda client: client.info()))["DockerRootDir"]
        await engine.call(
            lambda client: client.create_network(
                name, driver="bridge", internal=True, options=_SEALED, labels=its_labels, enable_ipv6=False
            )
        )
        async with _watched(root, limits, free or _free):
            yield Sandbox(engine, name, limits, its_labels)
    finally:
        await asyncio.shield(asyncio.ensure_future(_end(engine, name)))


async def _end(engine: DockerEngine, name: str) -> None:
    await leftovers.end(engine, [each for each in await leftovers.list_sandboxes(engine) if each.name == name])


@asynccontextmanager
async def _watched(root: str, limits: Limits, free: Callable[[str], int]) -> AsyncIterator[None]:
    """Ends the block with SandboxEnded once its time is over, or the engine's disk has too little room."""
    reason = f"it did not end within {format_duration(limits.seconds)}"
    loop = asyncio.get_running_loop()

    async def watch(scope: asyncio.Timeout) -> None:
        nonlocal reason
        while True:
            room = await asyncio.to_thread(free, root)
            if room < limits.spare_bytes:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        reason = f"only {format_bytes(room)} are free where Docker keeps its data, {root}"
        scope.reschedule(loop.time())

    try:
        async with asyncio.timeout(limits.seconds) as scope:
            watching = asyncio.ensure_future(watch(scope))
            try:
                yield
            finally:
                watching.cancel()
    except TimeoutError:
        if not scope.expired():
            raise
        raise SandboxEnded(f"the sandbox was ended: {reason}") from None


def _free(directory: str) -> int:
    """Where the directory is not to be seen, as behind an engine in a virtual machine, nothing is known to be short."""
    try:
        facts = os.statvfs(directory)
    except OSError:
        return 2**63
    return facts.f_bavail * facts.f_frsize


def _no_such_program(why: str) -> bool:
    return "executable file not found" in why or "no such file or directory" in why


def _execute(client: "APIClient", container: str, command: Sequence[str]) -> Said:
    from docker.utils.socket import frames_iter

    made = client.exec_create(container, list(command))
    stream: Any = client.exec_start(made["Id"], socket=True)
    kept = bytearray()
    try:
        for _, chunk in frames_iter(stream, tty=False):
            kept += chunk
            del kept[:-_OUTPUT_BYTES]
    finally:
        # The library leaves this connection open, which the engine has made one of raw bytes and nobody can use again.
        connection = stream._sock
        stream._response.close()
        connection.close()
    status = client.exec_inspect(made["Id"])["ExitCode"]
    return Said(int(status), kept.decode("utf-8", "replace"))


def last_line(said: Said) -> str:
    """The last line of what a command wrote that speaks of an error, else the last one; or how it ended."""
    lines = [line.strip() for line in said.output.splitlines() if line.strip()]
    worst = [line for line in lines if _ERROR.search(line)] if said.status else []
    return (worst or lines)[-1][:300] if lines else f"exit status {said.status}"
