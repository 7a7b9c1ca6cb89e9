"""What needs a restart after an update: services that run on files that are gone, and the host itself."""

import asyncio
import os
import re
from collections.abc import Sequence

from exporter.base.programs import CommandFailed
from exporter.host.reboot import reboot_required
from remediator.tasks.packages.system import System

_SERVICE = re.compile(r"^NEEDRESTART-SVC: (\S+)$", re.MULTILINE)
_ASKED = re.compile(r"^NEEDRESTART-VER:", re.MULTILINE)


def parse_needrestart(text: str) -> Sequence[str] | None:
    """Output of ``needrestart -b -r l``: units to restart. None where it says nothing, as to an ordinary user. Pure."""
    return sorted(set(_SERVICE.findall(text))) if _ASKED.search(text) else None


async def restarts(system: System) -> str:
    """One sentence without its full stop about services and the host; empty where nothing needs a restart."""
    services: Sequence[str] | None = None
    if system.path("/usr/sbin/needrestart").exists() and system.euid == 0:
        try:
            done = await system.ask("/usr/sbin/needrestart", "-b", "-r", "l")
        except CommandFailed:
            pass
        else:
            services = parse_needrestart(done.output)
    said = []
    if services is None:
        said.append("whether services need a restart is not known, as needrestart did not tell")
    elif services:
        said.append(f"a restart is needed by {', '.join(services)}")
    if await asyncio.to_thread(reboot_required, system.root, os.uname().release):
        said.append("the host needs a reboot")
    return "; ".join(said)
