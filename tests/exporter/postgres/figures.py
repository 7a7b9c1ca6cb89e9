"""What tests of PostgreSQL share: a collector of one server, and its figures by name and labels."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client.core import Metric

from exporter.collectors.postgres import PostgresCollector
from exporter.inventory.postgres import PostgresServer as Settings
from exporter.inventory.postgres import PostgresSettings
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

NAME = "db"
EVERY_TIME = PostgresSettings(details_interval=0.001)
"""Reads sizes and tables in each round."""


class Figures:
    """Samples of one round."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self.samples = [sample for family in families for sample in family.samples]

    def get(self, name: str, **labels: str) -> float | None:
        """The value with these labels (``server`` may be left out), or None. More than one fails."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == f"upkeeper_postgres_{name}" and labels.items() <= sample.labels.items()
        ]
        assert len(found) < 2, f"{name}{labels} has several values: {found}"
        return found[0] if found else None

    def value(self, name: str, **labels: str) -> float:
        """As get, but it must be there."""
        found = self.get(name, **labels)
        assert found is not None, f"no {name}{labels} among {sorted({sample.name for sample in self.samples})}"
        return found

    def labels(self, name: str, label: str) -> set[str]:
        """All values of a label."""
        return {sample.labels[label] for sample in self.samples if sample.name == f"upkeeper_postgres_{name}"}

    def names(self) -> set[str]:
        return {sample.name for sample in self.samples}


def settings(server: PostgresServer, password_file: Path | None, **changes: Any) -> Settings:
    """How Upkeeper connects to a test's server, as the superuser unless told otherwise."""
    given = {"name": NAME, "host": server.socket, "port": server.port, "user": SUPERUSER}
    if password_file is not None:
        if not password_file.exists():
            password_file.write_text(PASSWORD + "\n")
        given["password_file"] = str(password_file)
    return Settings(**(given | changes))


@asynccontextmanager
async def collecting(*servers: Settings, when: PostgresSettings = EVERY_TIME) -> AsyncIterator[PostgresCollector]:
    """A collector, closed at the end."""
    collector = PostgresCollector(servers, when)
    try:
        yield collector
    finally:
        await collector.close()


async def figures_of(*servers: Settings) -> Figures:
    """Of one round."""
    async with collecting(*servers) as collector:
        return Figures(await collector.collect())
