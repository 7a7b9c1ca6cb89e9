"""Parsers of files below ``/proc``. Pure. Formats: proc(5), https://docs.kernel.org/filesystems/proc.html

Each raises ValueError when the text is not what the kernel writes.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from exporter.host.sample import Sample

T = TypeVar("T")

CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""In the order of the file. Time of guests is left out: it is counted in user and nice already."""

_PERIODS = ("1m", "5m", "15m")
_WINDOWS = {"avg10": "10s", "avg60": "1m", "avg300": "5m"}


def loadavg(text: str) -> Iterator[Sample]:
    """``/proc/loadavg``: the load, and how many threads there are."""
    first, second, third, entities = text.split()[:4]
    for period, value in zip(_PERIODS, (first, second, third), strict=True):
        yield Sample("load", float(value), (period,))
    yield Sample("threads", int(entities.partition("/")[2]))


def stat(text: str, ticks: int) -> Iterator[Sample]:
    """``/proc/stat``: CPU time, CPUs, the boot, and processes that run or wait for I/O.

    ticks: clock ticks a second, as of ``sysconf(_SC_CLK_TCK)``.
    """
    rows = {fields[0]: fields[1:] for line in text.splitlines() if (fields := line.split())}
    for mode, value in zip(CPU_MODES, _row(rows, "cpu"), strict=False):  # kernels before 2.6.11 have no steal
        yield Sample("cpu_seconds", int(value) / ticks, (mode,))
    yield Sample("cpus", sum(1 for name in rows if name.startswith("cpu") and name[3:].isdigit()))
    yield Sample("boot_timestamp_seconds", int(_row(rows, "btime")[0]))
    yield Sample("processes_running", int(_row(rows, "procs_running")[0]))
    yield Sample("processes_blocked", int(_row(rows, "procs_blocked")[0]))


def meminfo(text: str) -> Iterator[Sample]:
    """``/proc/meminfo``. MemAvailable is there since Linux 3.14; without it, what is available is not known."""
    rows = _kibibytes(text)
    yield Sample("memory_total_bytes", _known(rows, "MemTotal"))
    if "MemAvailable" in rows:
        yield Sample("memory_available_bytes", rows["MemAvailable"])
    yield Sample("swap_total_bytes", _known(rows, "SwapTotal"))
    yield Sample("swap_free_bytes", _known(rows, "SwapFree"))


def vmstat(text: str, page_bytes: int) -> Iterator[Sample]:
    """``/proc/vmstat``: what was swapped in and out since the boot, and OOM kills (since Linux 4.13)."""
    rows = {fields[0]: fields[1:] for line in text.splitlines() if (fields := line.split())}
    yield Sample("swap_in_bytes", int(_row(rows, "pswpin")[0]) * page_bytes)
    yield Sample("swap_out_bytes", int(_row(rows, "pswpout")[0]) * page_bytes)
    if "oom_kill" in rows:
        yield Sample("oom_kills", int(_row(rows, "oom_kill")[0]))


def file_nr(text: str) -> Iterator[Sample]:
    """``/proc/sys/fs/file-nr``: open file descriptions of the whole host, and how many there may be."""
    allocated, _, limit = text.split()
    yield Sample("open_files", int(allocated))
    yield Sample("max_open_files", int(limit))


def pressure(text: str, resource: str) -> Iterator[Sample]:
    """``/proc/pressure/RESOURCE``. Format: https://docs.kernel.org/accounting/psi.html

    ``full`` of the CPU is not defined for a whole host; the kernel writes zeros, which are left out.
    """
    for line in text.splitlines():
        kind, *fields = line.split()
        if resource == "cpu" and kind == "full":
            continue
        values = dict(field.split("=", 1) for field in fields)
        for key, window in _WINDOWS.items():
            yield Sample("pressure_ratio", round(float(_known(values, key)) / 100, 6), (resource, kind, window))
        yield Sample("pressure_stalled_seconds", int(_known(values, "total")) / 1_000_000, (resource, kind))


def _kibibytes(text: str) -> Mapping[str, int]:
    """Bytes by name, of lines such as ``MemTotal:  4045624 kB``."""
    rows: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if len(fields) == 2 and fields[1] == "kB":
            rows[name] = int(fields[0]) * 1024
    return rows


def _row(rows: Mapping[str, list[str]], name: str) -> list[str]:
    fields = rows.get(name)
    if not fields:
        raise ValueError(f"no values of {name}")
    return fields


def _known(rows: Mapping[str, T], name: str) -> T:
    if name not in rows:
        raise ValueError(f"no {name}")
    return rows[name]
