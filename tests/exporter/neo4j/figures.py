"""What tests of the Neo4j collector share: collectors of one server, and figures by name and labels."""

from collections.abc import Sequence
from typing import Any

import psutil
from prometheus_client.core import Metric

from exporter.collectors.neo4j import Neo4jCollector
from exporter.inventory.neo4j import Neo4jServer as Settings
from exporter.inventory.neo4j import Neo4jSettings
from tests.neo4j_server.server import PASSWORD, USERNAME, Neo4jServer


def settings_of(server: Neo4jServer, **changes: Any) -> Settings:
    """The config of a server of the tests, with its password in a file."""
    file = server.directory / "password"
    file.write_text(f"{PASSWORD}\n")
    given = {"name": "graph", "uri": server.uri, "username": USERNAME, "password_file": str(file)}
    return Settings.model_validate(given | changes)


def collector_of(*servers: Settings, deadline: float = 10.0, **clocks: Any) -> Neo4jCollector:
    return Neo4jCollector(servers, Neo4jSettings(deadline=deadline), **clocks)


class Figures:
    """The samples of some families."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._samples = [sample for family in families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a sample, None if there is none. name: without upkeeper_neo4j_. labels: without the server."""
        found = [
            sample.value
            for sample in self._samples
            if sample.name == f"upkeeper_neo4j_{name}" and sample.labels == {"server": "graph", **labels}
        ]
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0] if found else None

    def states(self, database: str = "neo4j") -> dict[str, str]:
        """The state of each index that is shown."""
        key = "upkeeper_neo4j_index_state"
        return {
            sample.labels["index"]: sample.labels[key]
            for sample in self._samples
            if sample.name == key and sample.labels["database"] == database and sample.value
        }

    def names(self) -> set[str]:
        return {sample.name.removeprefix("upkeeper_neo4j_") for sample in self._samples}

    def text(self) -> str:
        return str(self._samples)


def connections(port: int) -> int:
    """Sockets of this process that are connected to the port, or were and are not closed."""
    return sum(bool(each.raddr) and each.raddr.port == port for each in psutil.Process().net_connections("tcp"))


async def figures(collector: Neo4jCollector) -> Figures:
    return Figures(await collector.collect())
