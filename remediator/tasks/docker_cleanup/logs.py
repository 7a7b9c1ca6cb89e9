"""Logs of containers that grow without a limit, which no cleanup may shorten: only their config can."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.base.text import counted, printable
from exporter.base.units import format_bytes
from exporter.docker import composelabels
from exporter.docker.engine import DockerEngine
from exporter.docker.logfile import LogConfig
from exporter.docker.objects import container_name

if TYPE_CHECKING:
    from docker import APIClient

_NAMES = 5
LINES = 'logging: {driver: json-file, options: {max-size: "10m", max-file: "3"}}'
"""What limits a log, as a service of a Compose file has it."""


class UnlimitedLog(NamedTuple):
    """Of a container that runs."""

    container: str
    bytes: int | None
    """So far; None where that cannot be seen from here."""
    service: str
    """Of its Compose project; empty without one."""
    file: str
    """The first file of that project."""


async def unlimited_logs(engine: DockerEngine) -> list[UnlimitedLog]:
    """The largest first. Raises UpkeeperError."""
    return sorted(await engine.call(_read), key=lambda one: (-(one.bytes or 0), one.container))


def _read(client: "APIClient") -> list[UnlimitedLog]:
    from docker.errors import NotFound

    found = []
    entries: list[Any] = client.containers()
    for entry in entries:
        with suppress(NotFound):
            inspected = client.inspect_container(entry["Id"])
            told = (inspected.get("HostConfig") or {}).get("LogConfig") or {}
            config = LogConfig(told.get("Type") or "", told.get("Config") or {}, inspected.get("LogPath") or "")
            if config.kept and config.max_bytes is None:
                labels = entry.get("Labels") or {}
                files = labels.get(composelabels.FILES, "").split(",")
                service = labels.get(composelabels.SERVICE, "")
                found.append(UnlimitedLog(container_name(entry), config.size(), service, files[0]))
    return found


def notes_on_logs(found: Sequence[UnlimitedLog]) -> Iterator[str]:
    """Sentences with the lines that limit them. Pure."""
    for one in found[:_NAMES]:
        size = "" if one.bytes is None else f" ({format_bytes(one.bytes)} so far)"
        if one.service:
            where = f"in {printable(one.file)}, under services: {printable(one.service)}: " if one.file else ""
            how = f"{where}{LINES}"
        else:
            how = 'docker run --log-opt max-size=10m --log-opt max-file=3, or "log-opts" in daemon.json'
        yield f"The log of {printable(one.container)} grows without a limit{size}. Limit it, and make it anew: {how}"
    if len(found) > _NAMES:
        yield f"The logs of {counted(len(found) - _NAMES, 'more container')} grow without a limit, too."
