"""A log directory with a few files of known sizes and times, and one that is missing."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.core import Metric

from exporter.collectors.logs import LogsCollector
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.logs import LogDirectory

FILES = {"app.log": (70_000, 1_790_000_000), "app.log.1.gz": (12_345, 1_789_000_000), "quiet.log": (10, 1_785_000_000)}
"""Sizes in bytes and times of the last write in Unix seconds, by name."""


async def families() -> Sequence[Metric]:
    """What the collector yields."""
    with TemporaryDirectory() as directory:
        for name, (size, written) in FILES.items():
            path = Path(directory) / name
            path.touch()
            os.truncate(path, size)  # a hole: it takes up no block on any file system
            os.utime(path, (written, written))
        directories = [
            LogDirectory(name="app", path=directory, max_bytes=500_000_000),
            LogDirectory(name="gone", path=f"{directory}/gone", max_bytes=1_000_000),
        ]
        return await LogsCollector(directories, CollectorSettings(), stale_after=300).collect()
