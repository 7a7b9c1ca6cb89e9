"""The host: load, CPU, memory, swap, pressure, clock and temperatures."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.host import clock, proc, psutil_samples, sensors
from exporter.host.families import HOST, build
from exporter.host.sample import Sample
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.host import Host

log = structlog.get_logger(__name__)

Source = Callable[[], Sequence[Sample]]

_CHIEF = frozenset({"loadavg", "stat", "meminfo"})
"""If none of these can be read, nothing is known of the host."""


class HostCollector:
    """Reads a dozen small files, each with its own error boundary: one that makes no sense costs only its own figures.

    Reading happens in a thread, because ``/proc`` need not be the kernel's: in a container, LXCFS may answer, or hang.
    A sensor may hang too; it costs the temperatures only.

    Raises OSError when none of the chief files can be read, TimeoutError when ``/proc`` hangs.

    proc_root, sys_root: where those file systems are. read_clock: as exporter.host.clock.read_clock.
    portable_only: there is no ``/proc`` on this system.
    """

    name = "host"

    def __init__(
        self,
        limits: Host,
        settings: CollectorSettings,
        proc_root: Path = Path("/proc"),
        sys_root: Path = Path("/sys"),
        read_clock: Callable[[], clock.KernelClock] = clock.read_clock,
        portable_only: bool = sys.platform != "linux",
    ) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._patience = self.deadline * 0.4  # with each of the two
        self._limits = limits
        self._sys = sys_root
        self._threads = KeyedThreads()
        self._complaints = Complaints(log, "host figures not known", "host figures known again", "source")
        self._sources: Mapping[str, Source] = (
            {"psutil": lambda: list(psutil_samples.samples())} if portable_only else _sources(proc_root, read_clock)
        )
        self._chief = frozenset({"psutil"}) if portable_only else _CHIEF

    async def collect(self) -> Sequence[Metric]:
        return build(HOST, [*_limits(self._limits), *await self._read(), *await self._temperatures()])

    async def _read(self) -> list[Sample]:
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._threads.run("proc", self._ask_all)
        except TimeoutError:
            raise TimeoutError("/proc does not answer") from None
        except StillStuck:
            raise TimeoutError("/proc has not answered since an earlier collection") from None
        found: list[Sample] = []
        for name, answer in answers.items():
            self._complaints.note(name, answer if isinstance(answer, str) else "")
            found += [] if isinstance(answer, str) else answer
        if all(isinstance(answers[name], str) for name in self._chief):
            raise OSError(f"nothing is known of the host: {answers[min(self._chief)]}")
        return found

    def _ask_all(self) -> Mapping[str, Sequence[Sample] | str]:
        return {name: _ask(source) for name, source in self._sources.items()}

    async def _temperatures(self) -> list[Sample]:
        try:
            async with asyncio.timeout(self._patience):
                found = await self._threads.run("sensors", lambda: sensors.temperatures(self._sys))
        except (TimeoutError, StillStuck):
            self._complaints.note("sensors", "a temperature sensor does not answer")
            return []
        self._complaints.note("sensors", "")
        return found


def _sources(root: Path, read_clock: Callable[[], clock.KernelClock]) -> Mapping[str, Source]:
    def file(name: str, parse: Callable[[str], Iterator[Sample]]) -> Source:
        return lambda: list(parse((root / name).read_text()))

    def stalled(resource: str) -> Source:
        read = file(f"pressure/{resource}", partial(proc.pressure, resource=resource))
        # Without the directory, the kernel does not measure pressure; booted with psi=0, it refuses to read.
        return lambda: read() if (root / "pressure" / resource).exists() else []

    return {
        "loadavg": file("loadavg", proc.loadavg),
        "stat": file("stat", partial(proc.stat, ticks=os.sysconf("SC_CLK_TCK"))),
        "meminfo": file("meminfo", proc.meminfo),
        "vmstat": file("vmstat", partial(proc.vmstat, page_bytes=os.sysconf("SC_PAGE_SIZE"))),
        "sys/fs/file-nr": file("sys/fs/file-nr", proc.file_nr),
        **{f"pressure/{resource}": stalled(resource) for resource in ("cpu", "memory", "io")},
        "processes": lambda: [Sample("processes", sum(1 for entry in os.scandir(root) if entry.name.isdigit()))],
        "clock": lambda: list(clock.samples(read_clock())),
    }


def _ask(source: Source) -> Sequence[Sample] | str:
    """The samples, or why there are none."""
    try:
        return source()
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _limits(limits: Host) -> Iterator[Sample]:
    yield Sample("max_load_per_cpu", limits.max_load_per_cpu)
    yield Sample("memory_min_available_ratio", limits.memory_min_available_ratio)
    yield Sample("memory_max_pressure_ratio", limits.memory_max_pressure_ratio)
    if limits.clock_max_offset is not None:
        yield Sample("clock_max_offset_seconds", limits.clock_max_offset)
