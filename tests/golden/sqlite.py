"""A database of SQLite with free pages, and one that is no database."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.core import Metric

from exporter.collectors.sqlite import SqliteCollector
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.sqlite import SqliteDatabase


async def families() -> Sequence[Metric]:
    """What the collector yields."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "database.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA page_size = 4096")
            database.execute("CREATE TABLE t (x)")
            database.executemany("INSERT INTO t VALUES (?)", [("x" * 4000,)] * 100)
            database.commit()
            database.execute("DELETE FROM t")
            database.commit()
        other = Path(directory) / "other"
        other.write_text("no database")
        databases = [
            SqliteDatabase(name="n8n", path=str(path), max_reclaimable_bytes=200_000),
            SqliteDatabase(name="other", path=str(other)),
        ]
        return await SqliteCollector(databases, CollectorSettings()).collect()
