"""What one container uses: from the kernel's files where they are at hand, else from the engine's statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporter.docker.cgroup import Cgroup, Consumption, find_cgroup, read_cgroup, read_text
from exporter.docker.containers import ListedContainer

NOT_ITS_OWN = ("host", "container:")
"""Network modes in which a container uses the network of the host or of another container."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a container has used since it was started. None: not known."""

    consumption: Consumption = field(default_factory=Consumption)
    received: int | None = None
    """Bytes over all of its own network interfaces but the loopback; None without one."""
    sent: int | None = None


class KernelFiles:
    """Reads the figures of this machine's containers. Everything blocks, for a fraction of a millisecond each.

    proc, cgroups: where the kernel's files are mounted.
    """

    def __init__(self, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> None:
        self._proc = proc
        self._cgroups = cgroups
        self._found: dict[tuple[str, int], Cgroup] = {}

    def read(self, containers: Sequence[ListedContainer]) -> dict[str, Figures]:
        """Figures by id. Those of another machine, and those that ended since they were listed, are not in it."""
        running = {
            (container.id, container.inspected.pid): container for container in containers if container.inspected.pid
        }
        self._found = {key: cgroup for key, cgroup in self._found.items() if key in running}
        host = self._namespace(1)
        figures: dict[str, Figures] = {}
        for (key, pid), container in running.items():
            if (key, pid) not in self._found:
                cgroup = find_cgroup(self._cgroups, read_text(f"{self._proc}/{pid}/cgroup") or "", key)
                if cgroup is None:
                    continue
                self._found[key, pid] = cgroup
            consumption = read_cgroup(self._found[key, pid])
            if consumption is None:
                del self._found[key, pid]
                continue
            figures[key] = Figures(consumption, *self._network(container, host))
        return figures

    def _network(self, container: ListedContainer, host: str | None) -> tuple[int | None, int | None]:
        pid, mode = container.inspected.pid, container.inspected.network_mode
        if mode.startswith(NOT_ITS_OWN) or (host is not None and self._namespace(pid) == host):
            return None, None
        # The number may be that of another machine's process, or of one that came after the container's.
        if container.id not in (read_text(f"{self._proc}/{pid}/cgroup") or ""):
            return None, None
        return parse_net_dev(read_text(f"{self._proc}/{pid}/net/dev") or "")

    def _namespace(self, pid: int) -> str | None:
        try:
            return str(Path(f"{self._proc}/{pid}/ns/net").readlink())
        except OSError:
            return None


def parse_net_dev(text: str) -> tuple[int | None, int | None]:
    """Bytes received and sent over all interfaces but the loopback, by ``/proc/PID/net/dev``; see proc_pid_net(5)."""
    rows = (line.partition(":") for line in text.splitlines() if ":" in line)
    fields = [values.split() for name, _, values in rows if name.strip() != "lo"]
    if not fields:
        return None, None
    return sum(int(values[0]) for values in fields), sum(int(values[8]) for values in fields)


def from_statistics(answer: Mapping[str, Any], container: ListedContainer) -> Figures | None:
    """The figures in the engine's answer to ``/containers/ID/stats``; None for a container that does not run. Pure.

    Under cgroup version 1 the engine names ``total_inactive_file`` next to the ``inactive_file`` of the group alone.
    """
    nanoseconds = ((answer.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    if not nanoseconds:
        return None
    memory = answer.get("memory_stats") or {}
    details = memory.get("stats") or {}
    unused = details.get("total_inactive_file", details.get("inactive_file", 0))
    consumption = Consumption(
        cpu_seconds=nanoseconds / 1e9,
        memory_working_set=max(0, memory["usage"] - unused) if "usage" in memory else None,
        memory_limit=container.inspected.memory_limit,
    )
    io = (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive")
    if io:  # empty where nobody counts
        read, written = (
            sum(row["value"] for row in io if row["op"].lower() == operation) for operation in ("read", "write")
        )
        consumption = replace(consumption, io_read=read, io_written=written)
    networks = (answer.get("networks") or {}).values()
    if not networks or container.inspected.network_mode.startswith(NOT_ITS_OWN):
        return Figures(consumption)
    return Figures(
        consumption,
        received=sum(network["rx_bytes"] for network in networks),
        sent=sum(network["tx_bytes"] for network in networks),
    )
