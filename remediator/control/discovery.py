"""The hosts in files for Prometheus's file service discovery, kept up to date while the remediator runs.

Their form: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog

from exporter.base.complaints import Complaints
from exporter.base.replace_file import replace_file
from remediator.config.config import Config
from remediator.control.again import to_be_tried_again
from remediator.model.shapes.hosts import TargetGroup

log = structlog.get_logger(__name__)

INTERVAL = 20.0
"""Seconds between two looks: as often as hosts give a sign of life."""
_CHANGES_ALWAYS = "__meta_upkeeper_last_seen"
_FOR_PROMETHEUS = 0o644


class Finds(Protocol):
    """What tells the hosts."""

    async def sd(self, *, service: str = "exporter", port: int | None = None) -> list[TargetGroup]: ...


class DiscoveryFiles:
    """hosts: of the fleet. whole: whether they are all there: not while the database that they share is away."""

    def __init__(self, hosts: Callable[[], Finds], config: Callable[[], Config], whole: Callable[[], bool]) -> None:
        self._hosts = hosts
        self._config = config
        self._whole = whole
        self._complaints = Complaints(log, "hosts cannot be written for Prometheus", "hosts are written again", "file")

    async def keep(self) -> None:
        """Ends by cancellation."""
        while True:
            with to_be_tried_again("hosts could not be written for Prometheus"):
                await self.write()
            await asyncio.sleep(INTERVAL)

    async def write(self) -> None:
        """Writes each file that is wanted, unless it holds that already. Raises SQLAlchemyError."""
        fleet = self._config().fleet
        if fleet is None or not self._whole():
            return
        for service, path in fleet.discovery_files.items():
            content = as_file(await self._hosts().sd(service=service))
            try:
                await asyncio.to_thread(_write, Path(path), content)
            except OSError as error:
                self._complaints.note(path, error.strerror or str(error))
            else:
                self._complaints.note(path, "")


def as_file(groups: list[TargetGroup]) -> bytes:
    """What the file holds. Without the time of the last sign of life: it would be another file at every look. Pure."""
    lasting = [
        {
            "targets": group["targets"],
            "labels": {name: value for name, value in group["labels"].items() if name != _CHANGES_ALWAYS},
        }
        for group in groups
    ]
    return json.dumps(lasting, indent=2).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    with suppress(FileNotFoundError):  # it is the first one
        if path.read_bytes() == content:
            return
    replace_file(path, content, mode=_FOR_PROMETHEUS)
