"""What the processes of a control group use, read from the kernel's files, in version 1 and 2 of their layout.

Sources: Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of the kernel. Everything here blocks, for microseconds.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_UNLIMITED = 1 << 60
"""Version 1 writes a limit near 2**63 for none."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Where the files of a control group lie."""

    unified: str = ""
    """Its directory under version 2; empty under version 1."""
    controllers: Mapping[str, str] = field(default_factory=dict)
    """Under version 1, its directory for each of CONTROLLERS that was found."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a control group used since it was made. None: the kernel does not tell."""

    cpu_seconds: float | None = None
    memory_working_set: int | None = None
    """Bytes that the kernel could not take back without effort: usage without file pages unused for long."""
    memory_limit: int | None = None
    """Bytes; None without a limit."""
    oom_kills: int | None = None
    io_read: int | None = None
    """Bytes read from block devices; what came from the page cache is not in it."""
    io_written: int | None = None


_BLKIO = ("blkio.throttle.io_service_bytes_recursive", "blkio.bfq.io_service_bytes_recursive")

CONTROLLERS = ("cpuacct", "memory", "blkio")


def find_cgroup(root: str, memberships: str, key: str) -> Cgroup | None:
    """The control group of a container; None if none of this machine carries the container's id.

    root: where the control groups are mounted. key: the container's id.
    memberships: text of ``/proc/PID/cgroup`` of a process in it, which may be in a group further down, or belong to
    another container by now; empty when it cannot be read.
    """
    paths = dict(_memberships(memberships, key))
    if Path(root, "cgroup.controllers").exists():
        found = _first_directory(_places(root, paths.get("", ""), key))
        return Cgroup(unified=found) if found is not None else None
    controllers = {}
    for controller in CONTROLLERS:
        found = _first_directory(_places(f"{root}/{controller}", paths.get(controller, ""), key))
        if found is not None:
            controllers[controller] = found
    return Cgroup(controllers=controllers) if controllers else None


def _memberships(text: str, key: str) -> Iterator[tuple[str, str]]:
    """Controller (empty for version 2) and path down to the part that carries the id."""
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        parts = path.split("/")
        at = next((index for index, part in enumerate(parts) if key in part), None)
        if at is not None:
            for name in names.split(","):
                yield name, "/".join(parts[: at + 1])


def _places(root: str, member: str, key: str) -> Iterator[str]:
    """By the process's own word, then where Docker's two cgroup drivers put containers by default."""
    if member and ".." not in member:
        yield root + member
    yield f"{root}/docker/{key}"
    yield f"{root}/system.slice/docker-{key}.scope"


def _first_directory(paths: Iterator[str]) -> str | None:
    return next((path for path in paths if Path(path).is_dir()), None)


def read_cgroup(cgroup: Cgroup) -> Consumption | None:
    """What the control group uses now; None if it is gone."""
    if cgroup.unified:
        return _version_2(cgroup.unified) if Path(cgroup.unified).is_dir() else None
    found = _version_1(cgroup.controllers)
    return found if found != Consumption() else None


def _version_2(path: str) -> Consumption:
    microseconds = _entry(f"{path}/cpu.stat", "usage_usec")
    io = read_text(f"{path}/io.stat")
    read, written = _io_stat(io) if io is not None else (None, None)
    return Consumption(
        cpu_seconds=microseconds / 1e6 if microseconds is not None else None,
        memory_working_set=_working_set(f"{path}/memory.current", f"{path}/memory.stat", "inactive_file"),
        memory_limit=_limit(f"{path}/memory.max"),
        oom_kills=_entry(f"{path}/memory.events", "oom_kill"),
        io_read=read,
        io_written=written,
    )


def _version_1(paths: Mapping[str, str]) -> Consumption:
    cpu, memory, blkio = (paths.get(controller, "") for controller in CONTROLLERS)
    nanoseconds = _number(f"{cpu}/cpuacct.usage") if cpu else None
    read, written = _blkio(blkio) if blkio else (None, None)
    if not memory:
        return Consumption(nanoseconds / 1e9 if nanoseconds is not None else None, io_read=read, io_written=written)
    return Consumption(
        cpu_seconds=nanoseconds / 1e9 if nanoseconds is not None else None,
        memory_working_set=_working_set(
            f"{memory}/memory.usage_in_bytes", f"{memory}/memory.stat", "total_inactive_file"
        ),
        memory_limit=_limit(f"{memory}/memory.limit_in_bytes"),
        oom_kills=_entry(f"{memory}/memory.oom_control", "oom_kill"),
        io_read=read,
        io_written=written,
    )


def _working_set(usage: str, stat: str, unused: str) -> int | None:
    """As kubelet and cadvisor have it: https://github.com/google/cadvisor/blob/master/container/libcontainer/handler.go"""
    used = _number(usage)
    if used is None:
        return None
    return max(0, used - (_entry(stat, unused) or 0))


def _limit(path: str) -> int | None:
    limit = _number(path)  # "max" is no number
    return limit if limit is not None and limit < _UNLIMITED else None


def _io_stat(text: str) -> tuple[int, int]:
    """Lines such as ``8:0 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0``."""
    fields = [part.split("=", 1) for part in text.split() if "=" in part]
    read, written = (sum(int(value) for key, value in fields if key == name) for name in ("rbytes", "wbytes"))
    return read, written


def _blkio(path: str) -> tuple[int | None, int | None]:
    """Lines such as ``8:0 Read 1459200``. Without one nobody counts, as in late kernels until a device is throttled."""
    for name in _BLKIO:
        rows = [line.split() for line in (read_text(f"{path}/{name}") or "").splitlines()]
        rows = [row for row in rows if len(row) == 3]
        if rows:
            read, written = (sum(int(row[2]) for row in rows if row[1] == what) for what in ("Read", "Write"))
            return read, written
    return None, None


def _entry(path: str, key: str) -> int | None:
    """The number of a key in lines of ``key number``; None if it is not there, or the file cannot be read."""
    _, found, rest = f"\n{read_text(path) or ''}".partition(f"\n{key} ")
    value = rest.partition("\n")[0]
    return int(value) if found and value.isdecimal() else None


def _number(path: str) -> int | None:
    text = (read_text(path) or "").strip()
    return int(text) if text.isdecimal() else None


def read_text(path: str) -> str | None:
    """A small file of the kernel's. None if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):  # the kernel hands out about a page at a time
            parts.append(part)
        return b"".join(parts).decode(errors="replace")
    except OSError:  # the group or the process ended meanwhile
        return None
    finally:
        os.close(descriptor)
