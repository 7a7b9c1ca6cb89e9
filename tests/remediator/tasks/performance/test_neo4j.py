"""The transactions of a real Neo4j."""

import threading

import neo4j
import pytest

from remediator.servers.neo4j import Neo4jDoor
from remediator.tasks.performance.queries import neo4j as ask_neo4j
from tests.exporter.neo4j.figures import settings_of
from tests.helpers import wait_until
from tests.neo4j_server.server import PASSWORD, USERNAME, Neo4jServer


@pytest.mark.servers
async def test_running_transactions_and_never_their_data(neo4j_server: Neo4jServer) -> None:
    door = Neo4jDoor(settings_of(neo4j_server))
    done = threading.Event()

    def hold() -> None:
        with (
            neo4j.GraphDatabase.driver(neo4j_server.uri, auth=(USERNAME, PASSWORD)) as driver,
            driver.session() as session,
            session.begin_transaction() as transaction,
        ):
            transaction.run("CREATE (:Held {secret: 'hunter2'})")
            done.wait(60)
            transaction.rollback()

    holder = threading.Thread(target=hold)
    holder.start()
    try:

        async def seen() -> bool:
            found, notes = await ask_neo4j("graph", door)
            assert notes == []
            assert "hunter2" not in repr(found)
            return any(row.who == "graph/neo4j" and USERNAME in row.detail for row in found)

        await wait_until(seen, what="the transaction to be seen")
    finally:
        done.set()
        holder.join()
    door.close()
