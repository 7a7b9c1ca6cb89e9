"""The neo4j collector on real servers: its figures against what was made there."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import neo4j
import neo4j.exceptions
import pytest
from structlog.testing import capture_logs

from exporter.collectors.neo4j import Neo4jCollector
from exporter.neo4j.reader import NODES, RELATIONSHIPS
from tests.exporter.neo4j.figures import Figures, collector_of, connections, figures, settings_of
from tests.helpers import wait_until
from tests.neo4j_server.plugin import quoted
from tests.neo4j_server.server import PASSWORD, USERNAME, Neo4jServer

pytestmark = pytest.mark.servers

TOO_LONG = "reduce(text = '', i IN range(1, 20000) | text + i)"
"""A property that no range index takes."""

VECTORS = "UNWIND range(1, 2000) AS i CREATE (:Doc {vector: [j IN range(1, 128) | rand()]})"
VECTOR_INDEX = (
    "CREATE VECTOR INDEX slow FOR (n:Doc) ON (n.vector) "
    "OPTIONS {indexConfig: {`vector.dimensions`: 128, `vector.similarity_function`: 'cosine'}}"
)
"""It takes a second or two to populate."""

NAMES = ["with space", "back`tick", "日本語 Ünï", 'quo"te\\slash', "two\nlines"]


@pytest.fixture
async def collector(neo4j_server: Neo4jServer) -> AsyncIterator[Neo4jCollector]:
    made = collector_of(settings_of(neo4j_server, data_directory=str(neo4j_server.data)))
    yield made
    await made.close()


@pytest.fixture
def other_session(neo4j_server: Neo4jServer) -> Iterator[neo4j.Session]:
    """Of somebody else who works on the server."""
    with (
        neo4j.GraphDatabase.driver(neo4j_server.uri, auth=(USERNAME, PASSWORD)) as driver,
        driver.session(database="neo4j") as session,
    ):
        yield session


async def test_the_server_and_its_databases(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    with capture_logs() as lines:
        found = await figures(collector)
    assert lines == []
    assert found.value("up") == 1
    edition = {"version": neo4j_server.release.version, "edition": "community"}
    assert found.value("info", **edition) == 1
    for database in ("neo4j", "system"):
        assert found.value("database_online", database=database) == 1
        assert found.value("database_requested_online", database=database) == 1
    assert found.value("page_cache_max_bytes") == 32 * 1024**2
    assert 0 < (found.value("heap_used_bytes") or 0) <= (found.value("heap_max_bytes") or 0) <= 512 * 1024**2
    assert found.value("index_population_max_seconds") == 3600


async def test_counts_are_what_was_made(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    neo4j_server.run("UNWIND range(1, 1200) AS i CREATE (:`Odd ``label` {i: i})")
    neo4j_server.run("MATCH (a {i: 1}), (b) WHERE b.i <= 700 CREATE (a)-[:KNOWS]->(b)")
    found = await figures(collector)
    assert found.value("nodes", database="neo4j") == 1200
    assert found.value("relationships", database="neo4j") == 700
    assert found.value("nodes", database="system") is None


@pytest.mark.parametrize(
    ("query", "operator"), [(NODES, "NodeCountFromCountStore"), (RELATIONSHIPS, "RelationshipCountFromCountStore")]
)
def test_counts_come_from_the_count_store(query: Any, operator: str, other_session: neo4j.Session) -> None:
    plan: Any = other_session.run(f"EXPLAIN {query}").consume().plan
    operators = []
    while plan:
        operators.append(plan["operatorType"].partition("@")[0])
        plan = next(iter(plan.get("children", ())), None)
    assert operators == ["ProduceResults", operator]


async def test_sizes_of_the_stores(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    found = await figures(collector)
    for metric, kind in (("store_bytes", "databases"), ("transaction_log_bytes", "transactions")):
        files = [path.lstat() for path in (neo4j_server.data / kind / "neo4j").rglob("*") if path.is_file()]
        size = sum(file.st_blocks * 512 for file in files)
        assert size > 0
        assert found.value(metric, database="neo4j") == pytest.approx(size, rel=0.2)


async def test_without_the_data_directory_community_tells_no_sizes(neo4j_five: Neo4jServer) -> None:
    collector = collector_of(settings_of(neo4j_five))
    told = (await figures(collector)).names()
    await collector.close()
    assert not told & {"store_bytes", "transaction_log_bytes", "page_cache_hit_ratio", "page_cache_usage_ratio"}


async def test_sizes_and_page_cache_where_the_server_tells_them(neo4j_calendar: Neo4jServer) -> None:
    """From beans as Enterprise has them: see neo4j_server/Community.java."""
    collector = collector_of(settings_of(neo4j_calendar))
    found = await figures(collector)
    await collector.close()
    assert found.value("store_bytes", database="neo4j") == 3000
    assert found.value("transaction_log_bytes", database="neo4j") == 2000
    assert found.value("page_cache_hit_ratio") == 0.75
    assert found.value("page_cache_usage_ratio") == 0.25


async def test_a_data_directory_that_is_not_there(neo4j_five: Neo4jServer, tmp_path: Path) -> None:
    collector = collector_of(settings_of(neo4j_five, data_directory=str(tmp_path / "nowhere")))
    with capture_logs() as lines:
        for _ in range(2):
            found = await figures(collector)
    await collector.close()
    assert found.value("up") == 1
    assert found.value("store_bytes", database="neo4j") is None
    assert [line["event"] for line in lines] == ["neo4j figures missing"]


async def test_indexes_by_state_and_with_any_name(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    for number, name in enumerate(NAMES):
        neo4j_server.run(f"CREATE INDEX {quoted(name)} FOR (n:Thing) ON (n.p{number})")
    neo4j_server.run("CALL db.awaitIndexes(60)")
    neo4j_server.run(f"CREATE (:Big {{text: {TOO_LONG}}})")
    neo4j_server.run("CREATE INDEX broken FOR (n:Big) ON (n.text)")
    await wait_until(lambda: state_of(neo4j_server, "broken"), equals="FAILED")
    before = time.time()
    found = await figures(collector)
    after = time.time()
    states = found.states()
    assert states.pop("broken") == "failed"
    assert set(NAMES) <= states.keys()
    assert set(states.values()) == {"online"}
    assert found.value("indexes", database="neo4j", state="failed") == 1
    assert found.value("indexes", database="neo4j", state="online") == len(states)
    assert found.value("indexes", database="neo4j", state="populating") == 0
    assert before <= (found.value("index_state_since_timestamp_seconds", **index("broken")) or 0) <= after
    assert found.value("index_state_since_timestamp_seconds", **index(NAMES[0])) is None
    assert found.value("index_population_ratio", **index(NAMES[1])) == 1
    assert "Property value" not in found.text()
    later = collector_of(settings_of(neo4j_server), clock=lambda: after + 1000)
    later.continue_from(collector)  # as at a reload of the config
    since = (await figures(later)).value("index_state_since_timestamp_seconds", **index("broken"))
    await later.close()
    assert since == found.value("index_state_since_timestamp_seconds", **index("broken"))


async def test_an_index_that_populates(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    neo4j_server.run(VECTORS)

    async def caught() -> Figures | None:
        neo4j_server.run("DROP INDEX slow IF EXISTS")
        neo4j_server.run(VECTOR_INDEX)
        found = await figures(collector)
        return found if found.states()["slow"] == "populating" else None

    found = await wait_until(caught)
    assert found.value("indexes", database="neo4j", state="populating") == 1
    since = found.value("index_state_since_timestamp_seconds", **index("slow"))
    assert since is not None

    seen: list[tuple[str, float | None]] = []

    async def populated() -> bool:
        later = await figures(collector)
        seen.append((later.states()["slow"], later.value("index_state_since_timestamp_seconds", **index("slow"))))
        return seen[-1][0] == "online"

    await wait_until(populated)
    assert set(seen) <= {("populating", since), ("online", None)}


async def test_reads_of_an_index(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    began = time.time()
    neo4j_server.run("UNWIND range(1, 100) AS i CREATE (:Person {name: 'n' + i})")
    neo4j_server.run("CREATE INDEX people FOR (n:Person) ON (n.name)")
    neo4j_server.run("CALL db.awaitIndexes(60)")
    for _ in range(3):
        neo4j_server.run("MATCH (n:Person {name: 'n7'}) RETURN n")

    async def told() -> Figures | None:  # the server writes these figures down every few seconds only
        found = await figures(collector)
        return found if found.value("index_reads_total", **index("people")) else None

    found = await wait_until(told, timeout=90)
    assert found.value("index_reads_total", **index("people")) == 3
    for metric in ("index_last_read_timestamp_seconds", "index_tracked_since_timestamp_seconds"):
        assert began - 1 <= (found.value(metric, **index("people")) or 0) <= time.time() + 1


async def test_open_transactions_without_ours(collector: Neo4jCollector, other_session: neo4j.Session) -> None:
    assert (await figures(collector)).value("transactions", database="neo4j") == 0
    began = time.time()
    with other_session.begin_transaction() as transaction:
        transaction.run("CREATE (:Unfinished)").consume()
        found = await figures(collector)
        assert found.value("transactions", database="neo4j") == 1
        assert found.value("nodes", database="neo4j") == 0
        start = found.value("oldest_transaction_start_timestamp_seconds", database="neo4j")
        assert began - 1 <= (start or 0) <= time.time() + 1
        transaction.rollback()
    assert (await figures(collector)).value("oldest_transaction_start_timestamp_seconds", database="neo4j") is None


async def test_only_the_chosen_databases_and_one_that_community_cannot_have(neo4j_server: Neo4jServer) -> None:
    with pytest.raises(neo4j.exceptions.ClientError):
        neo4j_server.run("CREATE DATABASE second", "system")
    collector = collector_of(settings_of(neo4j_server, databases=["Neo4j", "second"]))
    found = await figures(collector)
    await collector.close()
    assert found.value("database_online", database="neo4j") == 1
    assert found.value("nodes", database="neo4j") == 0
    assert found.value("database_online", database="second") == 0
    assert found.value("database_requested_online", database="second") == 1
    assert found.value("database_online", database="system") is None


HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "neo4j.md"


def statements(block: int) -> list[str]:
    """The statements of a Cypher block of the how-to."""
    text = re.findall(r"```cypher\n(.*?)```", HOW_TO.read_text(), re.DOTALL)[block]
    return [each.strip() for each in re.sub("//.*", "", text).split(";") if each.strip()]


async def test_the_user_of_the_how_to(neo4j_server: Neo4jServer, tmp_path: Path) -> None:
    for statement in statements(0):
        neo4j_server.run(statement, "system")
    file = tmp_path / "password"
    file.write_text("choose one")
    collector = collector_of(settings_of(neo4j_server, username="upkeeper", password_file=str(file)))
    assert (await figures(collector)).value("nodes", database="neo4j") == 0
    await collector.close()
    neo4j_server.run("DROP USER upkeeper", "system")


def test_the_role_of_the_how_to_is_understood(neo4j_server: Neo4jServer) -> None:
    """As far as Community goes: it knows the statements of Enterprise, and refuses to carry them out."""
    grants = [each for each in statements(1) if not each.startswith("CREATE USER")]
    assert len(grants) == 8
    for statement in grants:
        with pytest.raises(neo4j.exceptions.ClientError) as caught:
            neo4j_server.run(statement, "system")
        assert caught.value.code == "Neo.ClientError.Statement.UnsupportedAdministrationCommand", statement


async def test_several_servers_at_once(neo4j_five: Neo4jServer, neo4j_calendar: Neo4jServer) -> None:
    both = collector_of(settings_of(neo4j_five, name="old"), settings_of(neo4j_calendar, name="new"))
    families = {family.name: family for family in await both.collect()}
    await both.close()
    up = {sample.labels["server"]: sample.value for sample in families["upkeeper_neo4j_up"].samples}
    assert up == {"old": 1, "new": 1}
    versions = {sample.labels["version"] for sample in families["upkeeper_neo4j"].samples}
    assert versions == {neo4j_five.release.version, neo4j_calendar.release.version}


@pytest.mark.parametrize("scheme", ["bolt+s", "neo4j+s"])
async def test_tls_with_an_authority_of_its_own(scheme: str, neo4j_five: Neo4jServer) -> None:
    uri = f"{scheme}://127.0.0.1:{neo4j_five.port}"
    trusting = collector_of(settings_of(neo4j_five, uri=uri, ca_file=str(neo4j_five.authority)))
    assert (await figures(trusting)).value("up") == 1
    await trusting.close()
    await goodbye_said(neo4j_five)


async def test_a_certificate_that_nobody_vouches_for(neo4j_five: Neo4jServer) -> None:
    distrusting = collector_of(settings_of(neo4j_five, uri=f"bolt+s://127.0.0.1:{neo4j_five.port}"))
    with capture_logs() as lines:
        assert (await figures(distrusting)).value("up") == 0
    await distrusting.close()
    assert "certificate verify failed" in lines[0]["reason"]
    careless = collector_of(settings_of(neo4j_five, uri=f"bolt+ssc://127.0.0.1:{neo4j_five.port}"))
    assert (await figures(careless)).value("up") == 1
    await careless.close()
    await goodbye_said(neo4j_five)


async def test_routing(neo4j_server: Neo4jServer) -> None:
    collector = collector_of(settings_of(neo4j_server, uri=f"neo4j://127.0.0.1:{neo4j_server.port}"))
    assert (await figures(collector)).value("nodes", database="neo4j") == 0
    await collector.close()


async def test_one_connection_stays_open(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    for _ in range(3):
        await collector.collect()
    rows = neo4j_server.run("CALL dbms.listConnections() YIELD connectionId, userAgent", "system")
    ours = {row["connectionId"] for row in rows if row["userAgent"].startswith("upkeeper/")}
    assert len(ours) == 1
    await asyncio.gather(*(collector.collect() for _ in range(2)))
    again = neo4j_server.run("CALL dbms.listConnections() YIELD connectionId, userAgent", "system")
    assert {row["connectionId"] for row in again if row["userAgent"].startswith("upkeeper/")} == ours


async def goodbye_said(server: Neo4jServer) -> None:
    """Waits until both sides have closed their TLS connections, which must not be left to a loop that ends."""
    server.forget_login()
    await wait_until(lambda: not connections(server.port))


def index(name: str) -> dict[str, str]:
    return {"database": "neo4j", "index": name}


def state_of(server: Neo4jServer, name: str) -> str:
    rows = server.run("SHOW INDEXES YIELD name, state WHERE name = $name RETURN state", name=name)
    return str(rows[0]["state"])
