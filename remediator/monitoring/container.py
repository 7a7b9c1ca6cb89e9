"""The container that this process runs in, as the engine knows it."""

import asyncio
import re
from pathlib import Path

from exporter.base.errors import UpkeeperError
from exporter.docker.engine import DockerEngine

SECONDS = 5.0
_ID = re.compile(r"/containers/(?:overlay-containers/)?([0-9a-f]{64})/")
_MOUNTS = Path("/proc/self/mountinfo")


def id_in(mountinfo: str) -> str | None:
    """The engine mounts a container's hosts and resolv.conf from a directory that is named after it."""
    found = _ID.search(mountinfo)
    return found[1] if found is not None else None


async def restart_policy(engine: DockerEngine, mounts: Path = _MOUNTS) -> str | None:
    """As in `unless-stopped` or `no`; None where this is no container that the engine knows, or it does not answer."""
    try:
        id = id_in(await asyncio.to_thread(mounts.read_text, errors="replace"))
        if id is None:
            return None
        async with asyncio.timeout(SECONDS):
            inspected = await engine.call(lambda client: client.inspect_container(id))
        return str(inspected["HostConfig"]["RestartPolicy"]["Name"] or "no")
    except (OSError, UpkeeperError, KeyError, TypeError):
        return None
