"""Looks at what runs on this machine: units, mounts, ports, containers, probes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from exporter.base.errors import UpkeeperError
from exporter.docker.engine import DockerEngine
from exporter.host.listening import listening
from exporter.inventory.services import Probe, Service
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe
from remediator.tasks.reboot.fingerprint import Fingerprint, parse_unit_files, parse_units, started_by_itself
from remediator.tasks.reboot.machine import Machine

_LOOK_SECONDS = 60.0
_RESTARTED = frozenset({"always", "unless-stopped"})
"""Docker's restart policies with which a container that runs comes back with its engine; ``on-failure`` does not."""
_NETWORK = ("nfs", "cifs", "smb", "fuse.sshfs", "ceph", "glusterfs")
_DEFAULT_EPHEMERAL = 32768

Prober = Callable[[str, Probe], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What runs. leaves: what does not come back by itself, a sentence each."""

    found: Fingerprint
    leaves: Sequence[str] = field(default=())


class Look:
    """Looks at the machine, its engine, and the config's services. probe is passed in by tests."""

    def __init__(
        self, machine: Machine, engine: DockerEngine, services: Sequence[Service], probe: Prober = run_probe
    ) -> None:
        self._machine = machine
        self._engine = engine
        self._services = services
        self._probe = probe

    async def now(self) -> Seen:
        """What cannot be looked at is said in ``unknown``. Raises only what the units' manager raises."""
        units, mounts, ports, containers, probes = await asyncio.gather(
            self._units(), self._mounts(), self._ports(), self._containers(), self._succeeding()
        )
        running, failed = units
        found = Fingerprint(
            units=running,
            failed=failed,
            mounts=mounts[0],
            ports=ports[0],
            containers=containers[0],
            probes=probes,
            unknown=[*ports[2], *containers[2]],
        )
        return Seen(found, [*mounts[1], *ports[1], *containers[1]])

    async def _units(self) -> tuple[Sequence[str], Sequence[str]]:
        listed = parse_units(await self._machine.systemctl("list-units", "--plain", "--no-legend", "--full", "--all"))
        files = parse_unit_files(await self._machine.systemctl("list-unit-files", "--no-legend", "--full"))
        running = [
            name
            for name, active in listed
            if name.endswith(".service") and active == "active" and started_by_itself(name, files)
        ]
        return running, [name for name, active in listed if active == "failed"]

    async def _mounts(self) -> tuple[Sequence[str], Sequence[str]]:
        """Those that systemd mounts, and about those that somebody has mounted by hand."""
        shown = await self._machine.systemctl("show", "--property=What,Where,Type,FragmentPath,ActiveState", "*.mount")
        kept, by_hand = [], []
        for block in shown.split("\n\n"):
            given = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            where = given.get("Where", "")
            if given.get("ActiveState") != "active" or not where:
                continue
            if given.get("FragmentPath"):
                kept.append(where)
            elif where != "/" and _is_storage(given.get("What", ""), given.get("Type", "")):
                by_hand.append(f"{where} was mounted by hand: without a line in /etc/fstab it is not mounted again.")
        return kept, by_hand

    async def _ports(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                found = await asyncio.to_thread(_listening)
        except (psutil.Error, OSError, TimeoutError) as error:
            return [], [], [f"listening ports are not known: {type(error).__name__} {error}".rstrip()]
        kept = sorted({port for port, login in found if not login})
        leaves = sorted({f"{port} is held by {login}, of a login: it does not come back." for port, login in found
                         if login and port not in kept})  # fmt: skip
        return kept, leaves, []

    async def _containers(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        if not _is_here(self._engine):
            return [], [], []
        try:
            running = await self._engine.call(_running)
        except UpkeeperError as error:
            return [], [], [f"containers are not known: {error}"]
        names = sorted(name for name, policy in running if policy in _RESTARTED)
        leaves = [
            f"Container {name} has the restart policy {policy or 'no'}: it stays stopped after a reboot."
            for name, policy in sorted(running)
            if policy not in _RESTARTED
        ]
        return names, leaves, []

    async def _succeeding(self) -> Sequence[str]:
        probes = [(service.name, probe) for service in self._services for probe in service.probes]
        results = await asyncio.gather(*(self._probe(name, probe) for name, probe in probes))
        return sorted(f"{result.target}/{result.probe}" for result in results if result.success)


def _is_storage(what: str, fstype: str) -> bool:
    return (what.startswith("/dev/") and not what.startswith("/dev/loop")) or fstype.startswith(_NETWORK)


def _is_here(engine: DockerEngine) -> bool:
    """Whether there is an engine, and it is this machine's."""
    return engine.socket is not None and Path(engine.socket).exists()


def _running(client: Any) -> Sequence[tuple[str, str]]:
    """Name and restart policy of each running container."""
    found = []
    for one in client.containers():
        inspected = client.inspect_container(one["Id"])
        policy = (inspected.get("HostConfig") or {}).get("RestartPolicy") or {}
        found.append((str(inspected["Name"]).removeprefix("/"), str(policy.get("Name", ""))))
    return found


def _listening() -> Sequence[tuple[str, str]]:
    """Each port, and the program that holds it where it belongs to somebody's login. Blocks."""
    first_ephemeral = _first_ephemeral()  # from there on the kernel gives them, another one each time
    return [(f"{one.protocol}/{one.port}", _of_a_login(one.pid)) for one in listening() if one.port < first_ephemeral]


def _first_ephemeral(path: Path = Path("/proc/sys/net/ipv4/ip_local_port_range")) -> int:
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL


def _of_a_login(pid: int | None) -> str:
    """The program's name where systemd has it in somebody's login (``user.slice``), which ends with the machine."""
    if pid is None:
        return ""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
        return psutil.Process(pid).name() if _in_login(groups.splitlines()) else ""
    except (OSError, psutil.Error):
        return ""


def _in_login(groups: Iterable[str]) -> bool:
    return any("/user.slice/" in line and "/session-" in line for line in groups)
