"""The processes that use most memory and CPU, from /proc. Names of commands only: arguments may hold secrets."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.base.units import format_bytes

PROC = Path("/proc")
MOST = 8
"""Processes of each kind."""
BETWEEN = 0.1
"""Seconds in which CPU time is counted: ten ticks of the kernel, enough to tell who is busy. The run waits for it."""


@dataclass(frozen=True)
class Process:
    """memory: resident, in bytes. cpu: seconds since it began. began: when, in clock ticks since the boot."""

    pid: int
    command: str
    state: str
    memory: int
    cpu: float
    began: int


def parse_stat(text: str, ticks: int, page: int) -> Process:
    """``/proc/PID/stat``: proc(5). The command may itself hold blanks and brackets. Raises ValueError."""
    head, _, tail = text.rpartition(")")
    pid, _, command = head.partition(" (")
    fields = tail.split()
    cpu = (int(fields[11]) + int(fields[12])) / ticks
    return Process(int(pid), command, fields[0], int(fields[21]) * page, cpu, int(fields[19]))


def cpu_use(before: Sequence[Process], after: Sequence[Process], seconds: float) -> dict[Process, float]:
    """The CPUs that each of those that are there afterwards has used between two looks. Pure."""
    spent = {(one.pid, one.began): one.cpu for one in before}
    return {one: max(0.0, one.cpu - spent.get((one.pid, one.began), one.cpu)) / seconds for one in after}


def list_processes(before: Sequence[Process], after: Sequence[Process], seconds: float) -> Iterator[str]:
    """Those that use most, a line each. Pure."""
    use = cpu_use(before, after, seconds)
    by_memory = sorted(after, key=lambda one: one.memory, reverse=True)[:MOST]
    by_cpu = sorted((one for one in after if use[one] > 0), key=lambda one: use[one], reverse=True)[:MOST]
    for title, chosen in (("most memory", by_memory), ("most CPU", by_cpu)):
        yield f"{title}:"
        for one in chosen:
            memory = format_bytes(one.memory)
            yield f"  {one.command} (pid {one.pid}, state {one.state}): {memory}, {use[one]:.0%} of a CPU"


def all_processes(proc: Path = PROC) -> list[Process]:
    """Those that there are. Blocks, for some milliseconds."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    found = []
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(errors="replace")
                found.append(parse_stat(text, ticks, page))
            except (OSError, ValueError, IndexError):  # it has ended
                continue
    return found


async def top_processes(proc: Path = PROC) -> list[str]:
    began = time.monotonic()
    before = await asyncio.to_thread(all_processes, proc)
    await asyncio.sleep(BETWEEN)
    after = await asyncio.to_thread(all_processes, proc)
    return list(list_processes(before, after, time.monotonic() - began))
