"""A drill of Neo4j: what was exported is loaded into a server of the sandbox, counted there, and its store checked."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import proofs
from exporter.backups.manifest import digest
from exporter.docker.engine import DockerEngine
from exporter.inventory.drills import DrillService
from exporter.inventory.neo4j import Neo4jServer as Configured
from remediator.model.task import TaskError
from remediator.sandbox.guest import Said
from remediator.tasks.disaster_recovery import graphs
from remediator.tasks.disaster_recovery.graphs import checked, fill, graph_part, login
from remediator.tasks.disaster_recovery.proofs.proof import NotProven
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from remediator.tasks.restoring.sets import choose
from tests.dockerd import Dockerd
from tests.helpers import LONG
from tests.neo4j_server.image import neo4j_image
from tests.neo4j_server.plugin import empty
from tests.neo4j_server.server import PASSWORD, USERNAME, Neo4jServer
from tests.remediator.neo4jdump.graphs import SCHEMA
from tests.remediator.tasks.backup.series import made, series, task

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root enters another network")
GRAPH = {"name": "graph", "neo4j": "graph", "environment": {"NEO4J_AUTH": f"neo4j/{PASSWORD}"}}


def filled(server: Neo4jServer, tmp_path: Path) -> Configured:
    empty(server)
    for statement in SCHEMA[:3]:
        server.run(statement)
    server.run("UNWIND range(1, 20) AS i CREATE (:Person {id: 'p' + i})-[:KNOWS]->(:Place {id: 'q' + i})")
    (tmp_path / "password").write_text(PASSWORD)
    keys = {"name": "graph", "uri": server.uri, "username": USERNAME, "password_file": str(tmp_path / "password")}
    return Configured.model_validate(keys)


@pytest.fixture
def engine(dockerd: Dockerd) -> Iterator[DockerEngine]:
    made = DockerEngine(dockerd.host, 60.0)
    yield made
    made.close()


@pytest.mark.servers
@pytest.mark.torture
@LONG
@root_only
async def test_a_set_comes_back_in_a_server_of_the_sandbox(
    dockerd: Dockerd, engine: DockerEngine, neo4j_five: Neo4jServer, tmp_path: Path
) -> None:
    image = neo4j_image(dockerd)
    server = filled(neo4j_five, tmp_path)
    sets = tmp_path / "sets"
    sets.mkdir()
    make = {"neo4j": ["graph"]}
    new = await made(task(series(sets, make), neo4j=[server]), sets)

    async def drilled(*services: dict[str, Any]) -> str:
        drill = {"services": list(services), "memory": "1GiB", "spare": 0, "within": "10m"}
        drilling = DisasterRecoveryTest([series(sets, make, drill=drill)], lambda: engine)
        (action,) = (await drilling.plan("pa")).actions
        assert action.reason.startswith("neo4j:graph restored into a sandbox, where graph")
        return (await drilling.apply("pa", action)).detail

    said = await drilled({**GRAPH, "image": image})
    facts = "40 nodes, 20 relationships, 5 indexes and constraints in Neo4j 5.26.19"
    assert said.startswith(f"graph proved it: {facts}, its store is consistent; recovered in ")
    assert proofs.read(new, digest(new))["drilled"].success
    # A server that asks for nothing, and an application that uses the data afterwards.
    (tmp_path / "auth").write_text("NEO4J_AUTH=none\n")
    plain = {"name": "graph", "neo4j": "graph", "image": image, "env_file": str(tmp_path / "auth")}
    reader = {"name": "app", "image": image, "command": ["sleep", "3600"], "uses": ["graph"],
              "prove": ["/bin/busybox", "sh", "-c", "echo | busybox nc -w 20 graph 7687"]}  # fmt: skip
    assert "its store is consistent, app proved it" in await drilled(plain, reader)
    # The wrong password of what is there: it is the set that could not be used.
    other = {"name": "graph", "neo4j": "graph", "image": image, "ready_within": "90s",
             "environment": {"NEO4J_AUTH": "somebody/else-of-8"}}  # fmt: skip
    with pytest.raises(TaskError, match=r"graph was not ready within 1m30s: .*(login|credentials|unauthorized)"):
        await drilled(other)
    assert not proofs.read(new, digest(new))["drilled"].success


class House:
    """Stands for the sandbox in the short form: the server of the tests, and what its check is to say."""

    def __init__(self, check: Said | None, *, in_volumes: bool = True) -> None:
        self.did: list[str] = []
        self._check = check
        self._in_volumes = in_volumes

    @asynccontextmanager
    async def network(self, guest: str) -> AsyncIterator[int]:
        handle = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            yield handle
        finally:
            os.close(handle)

    async def rest(self, guest: str, seconds: float) -> bool:
        self.did.append("rest")
        return self._in_volumes

    async def go_on(self, guest: str) -> None:
        self.did.append("go on")

    async def beside(self, guest: str, name: str, command: Sequence[str], seconds: float) -> Said | None:
        self.did.append(" ".join(command))
        return self._check


@pytest.mark.servers
@root_only
async def test_what_was_loaded_is_compared_and_checked(
    neo4j_five: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the server of the tests. That of a sandbox costs more than CI has: its drill is the long form."""
    server = filled(neo4j_five, tmp_path)
    sets = tmp_path / "sets"
    sets.mkdir()
    one = series(sets, {"neo4j": ["graph"]})
    await made(task(one, neo4j=[server]), sets)
    found = choose(one, "latest", lambda: 2e9)
    empty(neo4j_five)
    monkeypatch.setattr(graphs, "_BOLT", neo4j_five.uri)
    service = DrillService.model_validate({**GRAPH, "image": "i"})
    part = graph_part(found, service)
    assert part is not None
    environment = service.environment
    inside: Any = House(Said(0, ""))
    held = await fill(inside, found, part, service, environment)
    assert held == f"40 nodes, 20 relationships, 5 indexes and constraints in Neo4j {neo4j_five.release.version}"
    assert await checked(inside, part, service, environment) == "its store is consistent"
    assert inside.did == ["rest", "neo4j-admin database check neo4j", "go on"]
    for house, told in (
        (House(None), "its store was not checked: the image has no neo4j-admin"),
        (House(Said(0, ""), in_volumes=False), "its store was not checked, which is in no volume"),
    ):
        assert await checked(house, part, service, environment) == told  # type: ignore[arg-type]
        assert house.did[-1] == "go on"
    broken: Any = House(Said(70, "x\nInconsistencies found: 1 error\n"))
    with pytest.raises(NotProven, match="the store of graph is not consistent: Inconsistencies found: 1 error"):
        await checked(broken, part, service, environment)
    neo4j_five.run("CREATE (:Later)")  # what holds something else is never emptied for a drill
    with pytest.raises(TaskError, match="the database neo4j of Neo4j graph is not empty"):
        await fill(inside, found, part, service, environment)
    assert neo4j_five.run("MATCH (n:Later) RETURN count(n) AS n") == [{"n": 1}]
    empty(neo4j_five)
    counted = {**part.member.facts["databases"]["neo4j"], "relationships": 21}
    member = replace(part.member, facts={**part.member.facts, "databases": {"neo4j": counted}})
    with pytest.raises(NotProven, match="relationships are 20, where 21 were backed up"):
        await fill(inside, found, replace(part, member=member), service, environment)
    empty(neo4j_five)


def test_the_login_is_what_the_image_was_told() -> None:
    assert login("graph", {"NEO4J_AUTH": "none"}) is None
    assert login("graph", {"NEO4J_AUTH": "neo4j/a/b"}) == ("neo4j", "a/b")
    for said in ("", "neo4j", "neo4j/", "/x"):
        with pytest.raises(TaskError, match="graph needs NEO4J_AUTH"):
            login("graph", {"NEO4J_AUTH": said})
