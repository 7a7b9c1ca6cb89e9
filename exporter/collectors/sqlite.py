"""Databases of SQLite against their limits."""

import asyncio
from collections.abc import Sequence

import structlog
from prometheus_client.core import Metric

from exporter.base.complaints import Complaints
from exporter.base.families import Families
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.sqlite import SqliteDatabase
from exporter.sqlite.header import Header, NoDatabase, read_header

log = structlog.get_logger(__name__)


class SqliteCollector:
    """Reads the first bytes of each file in a thread, each with its own error boundary."""

    name = "sqlite"

    def __init__(self, databases: Sequence[SqliteDatabase], settings: CollectorSettings) -> None:
        self.interval = settings.interval
        self.deadline = settings.deadline
        self._databases = databases
        self._threads = KeyedThreads()
        self._complaints = Complaints(log, "SQLite database not measured", "SQLite database measured again", "database")

    def continue_from(self, former: "SqliteCollector") -> None:
        """Takes over reads that hang, so that none hangs twice, and what was complained of."""
        self._threads = former._threads
        same = {each.name for each in self._databases if each in former._databases}
        self._complaints.continue_from(former._complaints, same)

    async def collect(self) -> Sequence[Metric]:
        found = await asyncio.gather(*(self._header(each) for each in self._databases))
        return families(list(zip(self._databases, found, strict=True)))

    async def _header(self, database: SqliteDatabase) -> Header | None:
        problem = ""
        try:
            async with asyncio.timeout(self.deadline * 0.9):
                return await self._threads.run((database.name, database.path), lambda: read_header(database.path))
        except TimeoutError:
            problem = "too slow"
        except (OSError, StillStuck, NoDatabase) as error:
            problem = str(error)
        finally:
            self._complaints.note(database.name, problem)
        return None


def families(measured: Sequence[tuple[SqliteDatabase, Header | None]]) -> Sequence[Metric]:
    """None where a database could not be read. Pure."""
    made = Families("upkeeper_sqlite", "database")
    up = made.gauge("up", "Whether the file of the SQLite database could be read.")
    size = made.gauge("size_bytes", "Size of the SQLite database, without its log.")
    reclaimable = made.gauge(
        "reclaimable_bytes", "Space in the SQLite database that holds nothing and is not given back by itself."
    )
    limit = made.gauge("max_reclaimable_bytes", "Such space from which the SQLite database should be shrunk.")
    for database, header in measured:
        labels = [database.name]
        up.add(labels, header is not None)
        limit.add(labels, int(database.max_reclaimable_bytes))
        if header is not None:
            size.add(labels, header.bytes)
            reclaimable.add(labels, header.reclaimable_bytes)
    return made.all
