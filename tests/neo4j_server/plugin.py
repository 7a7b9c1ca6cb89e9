"""Fixtures: a running Neo4j of each kind for the whole session. Loaded by conftest.py.

The shared ones may be hung and killed by a test that lets them go on, or starts them again, before it ends.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.neo4j_server.jars import CALENDAR, FIVE, Release
from tests.neo4j_server.server import Neo4jServer


@pytest.fixture(scope="session")
def neo4j_five() -> Iterator[Neo4jServer]:
    """A running Neo4j 5.26 Community with APOC."""
    with _running(FIVE) as server:
        yield server


@pytest.fixture(scope="session")
def neo4j_calendar() -> Iterator[Neo4jServer]:
    """A running Neo4j 2026.09 Community, without APOC."""
    with _running(CALENDAR) as server:
        yield server


@pytest.fixture(params=["5", "2026"])
def neo4j_server(request: pytest.FixtureRequest) -> Neo4jServer:
    """Each of the two, its database empty."""
    server: Neo4jServer = request.getfixturevalue("neo4j_five" if request.param == "5" else "neo4j_calendar")
    empty(server)
    return server


@contextlib.contextmanager
def _running(release: Release) -> Iterator[Neo4jServer]:
    server = Neo4jServer(Path(tempfile.mkdtemp(prefix="neo4j-")), release)
    try:
        server.start()
        yield server
    finally:
        server.close()


def empty(server: Neo4jServer) -> None:
    """Removes all nodes, relationships, constraints and indexes but the two lookup indexes that each database has."""
    for row in server.run("SHOW CONSTRAINTS YIELD name"):
        server.run(f"DROP CONSTRAINT {quoted(row['name'])}")
    for row in server.run("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"):
        server.run(f"DROP INDEX {quoted(row['name'])}")
    server.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS")


def quoted(name: str) -> str:
    """A name as Cypher wants it."""
    return "`" + name.replace("`", "``") + "`"
