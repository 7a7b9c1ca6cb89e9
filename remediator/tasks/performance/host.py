"""What host, containers and processes use: by the exporter's own collectors, looked at twice, a second apart."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from exporter.base.errors import UpkeeperError
from exporter.collectors.collector import Collector
from exporter.docker.engine import DockerEngine
from remediator.evidence.processes import Process, all_processes, cpu_use
from remediator.tasks.performance.rows import UseRow
from remediator.tasks.performance.sampled import Samples, by_label, most, one, rates, samples

SECONDS = 1.0
MOST = 5
"""Containers and processes that are named for each kind of use."""
_IDLE = ("idle", "iowait")

_HOST = "upkeeper_host_"
_CONTAINER = "upkeeper_container_"


@dataclass(frozen=True)
class Moment:
    """All that is known at one time. at: seconds on a clock that never jumps. moved: bytes of the host since its boot,
    over its disks and its network.
    """

    at: float
    figures: Samples
    processes: Sequence[Process]
    moved: Mapping[str, int]


@dataclass(frozen=True)
class Collected:
    """host and docker: the exporter's collectors, without one of Docker where there is no engine.

    engine: that one, which is asked first: the collector would complain to the log of what is a note here.
    """

    host: Collector
    docker: Collector | None = None
    engine: DockerEngine | None = None


async def uses(
    collected: Collected,
    processes: Callable[[], Sequence[Process]] = all_processes,
    moved: Callable[[], Mapping[str, int]] | None = None,
) -> tuple[list[UseRow], list[str]]:
    """Rows of what is used now, and why some of it is not known. Raises OSError and TimeoutError without the host."""
    notes: set[str] = set()
    docker = collected.docker
    if collected.engine is not None:
        try:
            await collected.engine.call(lambda client: client.ping())
        except UpkeeperError as error:
            notes.add(f"Containers are left out: {error}.")
            docker = None

    async def look() -> Moment:
        figures = dict(samples(await collected.host.collect()))
        if docker is not None:
            try:
                figures |= samples(await docker.collect())
            except (UpkeeperError, OSError, TimeoutError) as error:
                notes.add(f"Containers are left out: {str(error) or type(error).__name__}.")
        at = asyncio.get_running_loop().time()
        found = await asyncio.to_thread(processes)
        return Moment(at, figures, found, await asyncio.to_thread(moved or _moved))

    before = await look()
    await asyncio.sleep(SECONDS)
    after = await look()
    if one(after.figures, "upkeeper_docker_up") == 0.0:
        notes.add("Containers are left out: the Docker engine does not answer.")
    return rows(before, after), sorted(notes)


def rows(before: Moment, after: Moment) -> list[UseRow]:
    """The host first, then who uses most of it. Pure."""
    seconds = after.at - before.at
    cpus = one(after.figures, f"{_HOST}cpus") or 1.0
    total = one(after.figures, f"{_HOST}memory_total_bytes")
    use = {
        f"{each.command} ({each.pid})": used
        for each, used in cpu_use(before.processes, after.processes, seconds).items()
    }
    resident = {f"{each.command} ({each.pid})": float(each.memory) for each in after.processes}
    limits = by_label(after.figures, f"{_CONTAINER}memory_limit_bytes", "container")
    found = [*_host(before, after, seconds, cpus, total)]
    cores = rates(before.figures, after.figures, f"{_CONTAINER}cpu_seconds_total", "container", seconds)
    for which, value in most(cores, MOST):
        found.append(UseRow(resource="cpu", who=f"container {which}", unit="cores", value=value, share=value / cpus))
    for which, value in most(use, MOST):
        found.append(UseRow(resource="cpu", who=f"process {which}", unit="cores", value=value, share=value / cpus))
    working = by_label(after.figures, f"{_CONTAINER}memory_working_set_bytes", "container")
    for which, value in most(working, MOST):
        limit = limits.get(which)
        share = value / limit if limit else value / total if total else None
        detail = "of its limit" if limit else "of the host; it has no limit"
        found.append(
            UseRow(resource="memory", who=f"container {which}", unit="bytes", value=value, share=share, detail=detail)
        )
    for which, value in most(resident, MOST):
        share = value / total if total else None
        found.append(UseRow(resource="memory", who=f"process {which}", unit="bytes", value=value, share=share))
    found += _moving(
        before, after, seconds, "disk", ("blkio_read_bytes_total", "blkio_write_bytes_total"), "read", "written"
    )
    found += _moving(
        before,
        after,
        seconds,
        "network",
        ("network_receive_bytes_total", "network_transmit_bytes_total"),
        "received",
        "sent",
    )
    return sorted(found, key=lambda row: ("cpu", "memory", "disk", "network").index(row.resource))


def _host(before: Moment, after: Moment, seconds: float, cpus: float, total: float | None) -> Sequence[UseRow]:
    found = []
    spent = rates(before.figures, after.figures, f"{_HOST}cpu_seconds_total", "mode", seconds)
    if spent and sum(spent.values()) > 0:
        busy = sum(value for mode, value in spent.items() if mode not in _IDLE) / sum(spent.values())
        load = one(after.figures, f"{_HOST}load", period="1m")
        detail = f"of {cpus:.0f} CPUs" + ("" if load is None else f", load {load:.2f}")
        waiting = spent.get("iowait", 0.0) / sum(spent.values())
        detail += f", {waiting:.0%} of the time waiting for disks" if waiting >= 0.05 else ""
        found.append(UseRow(resource="cpu", who="host", unit="cores", value=busy * cpus, share=busy, detail=detail))
    available = one(after.figures, f"{_HOST}memory_available_bytes")
    if total and available is not None:
        used = total - available
        swap = (one(after.figures, f"{_HOST}swap_total_bytes") or 0) - (
            one(after.figures, f"{_HOST}swap_free_bytes") or 0
        )
        detail = f"and {swap / total:.0%} as much in swap" if swap > 0 else ""
        found.append(UseRow(resource="memory", who="host", unit="bytes", value=used, share=used / total, detail=detail))
    for resource, parts in (("disk", ("read", "written")), ("network", ("received", "sent"))):
        if not all(part in moment.moved for part in parts for moment in (before, after)):
            continue
        moved = [max(0, after.moved[part] - before.moved[part]) / seconds for part in parts]
        detail = ", ".join(f"{value / 1024:.0f} KiB/s {part}" for value, part in zip(moved, parts, strict=True))
        stalled = one(after.figures, f"{_HOST}pressure_ratio", resource="io", kind="some", window="10s")
        share = stalled if resource == "disk" else None
        detail += "; the share is of the time in which somebody waited" if share is not None else ""
        found.append(
            UseRow(resource=resource, who="host", unit="bytes/s", value=sum(moved), share=share, detail=detail)
        )
    return found


def _moving(
    before: Moment, after: Moment, seconds: float, resource: str, names: tuple[str, str], *words: str
) -> Sequence[UseRow]:
    parts = [rates(before.figures, after.figures, f"{_CONTAINER}{name}", "container", seconds) for name in names]
    both = {which: sum(part.get(which, 0.0) for part in parts) for which in {*parts[0], *parts[1]}}
    return [
        UseRow.model_validate(
            {
                "resource": resource,
                "who": f"container {which}",
                "unit": "bytes/s",
                "value": value,
                "detail": ", ".join(
                    f"{part.get(which, 0.0) / 1024:.0f} KiB/s {word}" for part, word in zip(parts, words, strict=True)
                ),
            }
        )
        for which, value in most(both, MOST)
    ]


def _moved() -> Mapping[str, int]:
    """Bytes over the host's disks and its network since its boot, which no collector of the exporter tells."""
    found: dict[str, int] = {}
    disks = psutil.disk_io_counters()
    if disks is not None:
        found |= {"read": disks.read_bytes, "written": disks.write_bytes}
    nets = [counts for name, counts in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")]
    if nets:
        found |= {"received": sum(one.bytes_recv for one in nets), "sent": sum(one.bytes_sent for one in nets)}
    return found
