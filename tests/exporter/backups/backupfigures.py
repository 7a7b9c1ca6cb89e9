"""What the backups collector says of a backup."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from exporter.collectors.backups import BackupsCollector
from exporter.inventory.backups import Backup, BackupsSettings
from tests.exporter.fakes import FakeClock

LIMITS = {"max_age_seconds": 26 * 3600, "size_min_ratio": 0.5, "size_min_bytes": 1}


def collector(*backups: Backup, settings: dict[str, Any] | None = None, **keys: Any) -> BackupsCollector:
    keys.setdefault("monotonic", FakeClock())
    return BackupsCollector(backups, BackupsSettings.model_validate(settings or {}), 300, **keys)


@asynccontextmanager
async def open_collector(*backups: Backup, **keys: Any) -> AsyncIterator[BackupsCollector]:
    made = collector(*backups, **keys)
    try:
        yield made
    finally:
        await made.close()


async def figures(backups: BackupsCollector, name: str = "pa") -> dict[str, float]:
    """Values of one backup by metric and second label."""
    return {
        "_".join([sample.name.removeprefix("upkeeper_backup_"), *list(sample.labels.values())[1:]]): float(sample.value)
        for family in await backups.collect()
        for sample in family.samples
        if sample.labels["backup"] == name
    }
