"""neo4j-maintenance and neo4j-index-rebuild on real servers, 5.26 with APOC and a calendar version without."""

from collections.abc import Sequence
from typing import Any

import pytest

from exporter.inventory.neo4j import Neo4jServer as Settings
from exporter.neo4j.driver import Neo4jDriver, Neo4jRefused, Neo4jUnavailable
from remediator.model.task import Action, TaskError
from remediator.servers.neo4j import Neo4jDoor
from remediator.tasks.neo4j_maintenance.server import Found, Index
from remediator.tasks.neo4j_maintenance.task import (
    Neo4jIndexRebuild,
    Neo4jMaintenance,
    maintenance_plan,
    quoted,
    rebuild_plan,
)
from tests.exporter.neo4j.figures import settings_of
from tests.helpers import wait_until
from tests.neo4j_server.server import Neo4jServer

TOO_LARGE = "x" * 40_000
ODD = "an `odd` name"


@pytest.fixture
def doors(neo4j_server: Neo4jServer) -> tuple[Settings, Neo4jDoor]:
    settings = settings_of(neo4j_server)
    return settings, Neo4jDoor(settings)


def failed_index(server: Neo4jServer) -> None:
    server.run("CREATE (:Page {text: $text})", text=TOO_LARGE)
    server.run(f"CREATE INDEX {quoted(ODD)} FOR (n:Page) ON (n.text)")


async def state_is(server: Neo4jServer, state: str) -> None:
    await wait_until(lambda: server.run("SHOW INDEXES YIELD name, state WHERE name = $name RETURN state",
                                        name=ODD)[0]["state"], equals=state)  # fmt: skip


@pytest.mark.servers
async def test_it_does_what_the_server_has_and_says_so(
    neo4j_server: Neo4jServer, doors: tuple[Settings, Neo4jDoor]
) -> None:
    settings, door = doors
    task = Neo4jMaintenance([settings], lambda _: door)
    neo4j_server.run("UNWIND range(1, 500) AS i CREATE (:Page {i: i})-[:LINKS]->(:Page {i: -i})")
    neo4j_server.run("CREATE INDEX pages FOR (n:Page) ON (n.i)")
    five = neo4j_server.release.version.startswith("5")
    plan = await task.plan("graph")
    kinds = [action.kind for action in plan.actions if action.kind != "await"]
    assert kinds == ["resample", "replan", *(["warm-up"] if five else [])]
    note = plan.notes[0]
    assert note.startswith(f"Neo4j {neo4j_server.release.version}{'' if five else ', Cypher 5 and 25'} has ")
    assert note.endswith("apoc.warmup.run.")
    assert ("and not" in note) == (not five)
    for action in plan.actions:
        for _ in range(2):
            assert (await task.apply("graph", action)).state == "done", action
    without = await task.plan("graph", {"warm_up": False})
    assert "warm-up" not in [action.kind for action in without.actions]
    measured = await task.measure("graph")
    assert measured.values == {"indexes": 3, "indexes_populating": 0, "indexes_failed": 0, "databases_offline": 0}


@pytest.mark.servers
async def test_a_failed_index_is_rebuilt_once_its_cause_is_gone(
    neo4j_server: Neo4jServer, doors: tuple[Settings, Neo4jDoor]
) -> None:
    settings, door = doors
    task = Neo4jIndexRebuild([settings], lambda _: door)
    failed_index(neo4j_server)
    await state_is(neo4j_server, "FAILED")
    before = await task.measure("graph")
    assert before.breached
    (action,) = (await task.plan("graph")).actions
    assert "too large to index" in action.reason
    with pytest.raises(TaskError, match=r"failed again: .*too large"):
        await task.apply("graph", action)
    await state_is(neo4j_server, "FAILED")
    neo4j_server.run("MATCH (n:Page) DELETE n")
    assert (await task.apply("graph", action)).state == "done"
    await state_is(neo4j_server, "ONLINE")
    again = await task.apply("graph", action)
    assert (again.state, again.detail) == ("skipped", "it is online now")
    after = await task.measure("graph")
    assert task.improved(before, after)
    assert not after.breached
    plan = await Neo4jMaintenance([settings], lambda _: door).plan("graph")
    assert len(plan.notes) == 1


@pytest.mark.servers
async def test_drop_and_creation_are_one(neo4j_server: Neo4jServer, doors: tuple[Settings, Neo4jDoor]) -> None:
    """What cannot be created again is not dropped."""
    _, door = doors
    failed_index(neo4j_server)
    await state_is(neo4j_server, "FAILED")
    async with door.driver() as driver:
        with pytest.raises(Neo4jRefused):
            await driver.write("neo4j", [f"DROP INDEX {quoted(ODD)}", "CREATE NONSENSE"], 10)
    await state_is(neo4j_server, "FAILED")


async def test_a_server_that_is_gone_is_one_clear_error() -> None:
    settings = Settings.model_validate({"name": "gone", "uri": "bolt://127.0.0.1:1"})
    task = Neo4jMaintenance([settings], lambda _: Neo4jDoor(settings))
    with pytest.raises(Neo4jUnavailable, match=r"refused|Connect"):
        await task.plan("gone")
    with pytest.raises(TaskError, match="no server in neo4j: has the name other"):
        await task.plan("other")


class Sandboxes(Neo4jDriver):
    """Refuses as Neo4j 5.26 does what it lists as executable."""

    async def rows(self, database: str, query: str, seconds: float) -> Sequence[dict[str, Any]]:
        raise Neo4jRefused("apoc.warmup.run is unavailable because it is sandboxed and has dependencies outside of it.")


async def test_a_procedure_that_is_listed_and_sandboxed_is_passed_over_with_what_would_help() -> None:
    settings = Settings.model_validate({"name": "graph", "uri": "bolt://127.0.0.1:1"})
    door = Neo4jDoor(settings)
    door._driver = Sandboxes(settings, 1.0)
    action = Action(kind="warm-up", object="neo4j", reason="", params={"database": "neo4j"})
    effect = await Neo4jMaintenance([settings], lambda _: door).apply("graph", action)
    assert effect.state == "skipped"
    assert effect.detail.endswith("dbms.security.procedures.unrestricted must name apoc.warmup.run")


def test_plans_without_a_server() -> None:
    online, busy = Index("a", "online", "CREATE a"), Index("b", "populating", "CREATE b")
    failed, bound = Index("c", "failed", "CREATE c"), Index("d", "failed", "CREATE d", constraint="unique_d")
    found = Found("2026.09.0", ["5", "25"], ["db.prepareForReplanning"],
                  {"x": [online], "y": [busy, failed, bound]}, offline=["z"])  # fmt: skip
    plan = maintenance_plan(found, warm_up=True)
    assert [(action.kind, action.object) for action in plan.actions] == [
        ("replan", "x"), ("await", "y"), ("replan", "y"),
    ]  # fmt: skip
    assert plan.notes == [
        "Neo4j 2026.09.0, Cypher 5 and 25 has db.prepareForReplanning, and not db.resampleOutdatedIndexes, "
        "apoc.warmup.run.",
        "Failed, which neo4j-index-rebuild can build anew: c of y, d of y.",
        "The database z is not online.",
    ]
    rebuilt = rebuild_plan(found)
    assert [action.object for action in rebuilt.actions] == ["y: c"]
    assert rebuilt.notes == ["d of y belongs to the constraint unique_d: drop and create that one."]
    assert len(rebuilt.rows) == 3
    assert quoted(ODD) == "`an ``odd`` name`"
