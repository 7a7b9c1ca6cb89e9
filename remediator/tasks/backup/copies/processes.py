"""The processes of this machine, as far as they can be seen from here."""

import os
import re
import time
from pathlib import Path

from remediator.tasks.backup.copies.locks import Here, Process

_INITIAL = 0xEFFFFFFC
"""Inode of the PID namespace that every other one is in (include/linux/proc_ns.h): who is in it sees all processes."""
_NAMESPACES = re.compile(r"^NSpid:\s+([\d\s]+)$", re.M)


def here(host: str, proc: Path = Path("/proc")) -> Here:
    """All that there are now. Blocks. Raises OSError where the kernel does not tell."""
    booted = time.time() - float((proc / "uptime").read_text().split()[0])
    tick = os.sysconf("SC_CLK_TCK")
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text(errors="replace")
            started = booted + int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]) / tick
        except (OSError, IndexError):
            continue  # it has ended meanwhile
        pids = _NAMESPACES.search(status)
        found.append(Process([int(each) for each in pids[1].split()] if pids else [int(entry.name)], started))
    return Here(host, found, _sees_all(proc), time.time())


def _sees_all(proc: Path) -> bool:
    return (proc / "self" / "ns" / "pid").stat().st_ino == _INITIAL
