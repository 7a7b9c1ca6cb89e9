"""What is exported from real servers and loaded into an empty database is the same."""

import asyncio
import random
import threading
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import pytest

from exporter.backups import manifest as manifests
from exporter.docker.engine import DockerEngine
from exporter.inventory.neo4j import Neo4jServer as Configured
from exporter.neo4j.driver import Neo4jDriver, Neo4jUnavailable, Reading
from remediator.model.task import TaskError
from remediator.neo4jdump import replace as filling
from remediator.neo4jdump.export import Exported, export
from remediator.neo4jdump.lines import Counts
from remediator.neo4jdump.load import load
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup_verification.readable import problems
from remediator.tasks.backup_verification.restored import problems as restored
from remediator.tasks.backup_verification.task import BackupVerification
from remediator.tasks.restore.task import Restore
from remediator.tasks.restore_in_place.task import RestoreInPlace
from tests.helpers import wait_until
from tests.neo4j_server.plugin import empty
from tests.neo4j_server.server import PASSWORD, USERNAME, Neo4jServer
from tests.remediator.neo4jdump.graphs import SCHEMA, content, fill
from tests.remediator.tasks.backup.series import made, series, task

pytestmark = pytest.mark.servers


def configured(server: Neo4jServer, tmp_path: Path) -> Configured:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    keys = {"name": "graph", "uri": server.uri, "username": USERNAME, "password_file": str(secret)}
    return Configured.model_validate(keys)


def driver(server: Neo4jServer, tmp_path: Path) -> Neo4jDriver:
    return Neo4jDriver(configured(server, tmp_path), 10.0)


async def exported(server: Neo4jServer, tmp_path: Path) -> tuple[Exported, list[bytes]]:
    pieces: list[bytes] = []
    asks = driver(server, tmp_path)
    try:
        return await export(asks, "neo4j", server.release.version, pieces.append), pieces
    finally:
        await asks.discard()


async def loaded(server: Neo4jServer, pieces: list[bytes], tmp_path: Path) -> Counts:
    asks = driver(server, tmp_path)
    try:
        return await load(asks, "neo4j", pieces, tmp_path)
    finally:
        await asks.discard()


async def test_what_was_loaded_equals_what_was_exported(neo4j_server: Neo4jServer, tmp_path: Path) -> None:
    fill(neo4j_server)
    before = content(neo4j_server)
    result, pieces = await exported(neo4j_server, tmp_path)
    facts = result.facts()
    assert (facts["nodes"], facts["relationships"]) == (len(before["nodes"]), len(before["relationships"]))
    assert (facts["one_moment"], facts["relationships_left_out"]) == (True, 0)
    with pytest.raises(TaskError, match="is not empty"):
        await loaded(neo4j_server, pieces, tmp_path)
    assert content(neo4j_server) == before
    empty(neo4j_server)
    counts = await loaded(neo4j_server, pieces, tmp_path)
    after = content(neo4j_server)
    for kind, wanted in before.items():
        assert after[kind] == wanted, kind
    assert counts.facts() == {key: facts[key] for key in counts.facts()}
    again, _ = await exported(neo4j_server, tmp_path)
    assert again.facts() == facts


async def test_an_export_that_others_write_to_is_whole_and_says_so(neo4j_five: Neo4jServer, tmp_path: Path) -> None:
    """Relationships of nodes that came to be after the nodes were read are left out, and it can be loaded."""
    empty(neo4j_five)
    neo4j_five.run("UNWIND range(1, 3) AS i CREATE (:A {id: 'a' + i})-[:R]->(:B {id: 'b' + i})")
    asks = driver(neo4j_five, tmp_path)
    pieces: list[bytes] = []
    real = asks.reading

    @asynccontextmanager
    async def busy(database: str, seconds: float) -> AsyncIterator[Reading]:
        async with real(database, seconds) as reading:
            yield Busy(reading)

    class Busy(Reading):
        def __init__(self, inner: Reading) -> None:
            self._inner = inner

        async def stream(self, query: LiteralString) -> AsyncIterator[list[Any]]:
            async for row in self._inner.stream(query):
                yield row
            await asyncio.to_thread(neo4j_five.run, "MATCH (a:A {id: 'a1'}) CREATE (a)-[:R]->(:C {id: randomUUID()})")

    asks.reading = busy  # type: ignore[method-assign]
    try:
        result = await export(asks, "neo4j", "5.26", pieces.append)
    finally:
        await asks.discard()
    facts = result.facts()
    assert (facts["nodes"], facts["relationships"]) == (6, 3)
    assert (facts["one_moment"], facts["relationships_left_out"]) == (False, 1)
    empty(neo4j_five)
    await loaded(neo4j_five, pieces, tmp_path)
    assert len(content(neo4j_five)["relationships"]) == 3


async def test_it_is_a_part_of_a_set_and_read_to_its_last_byte(neo4j_five: Neo4jServer, tmp_path: Path) -> None:
    empty(neo4j_five)
    neo4j_five.run("UNWIND range(1, 40) AS i CREATE (:A {id: i, d: date()})-[:R {x: i}]->(:B)")
    sets = tmp_path / "sets"
    sets.mkdir()
    server = configured(neo4j_five, tmp_path)
    whole = await made(task(series(sets, {"neo4j": ["graph"]}), neo4j=[server]), sets)
    manifest, _ = manifests.read(whole)
    (member,) = manifest.members
    assert member.facts["databases"]["neo4j"]["labels"] == {"A": 40, "B": 40}
    assert member.facts["databases"]["neo4j"]["types"] == {"R": 40}
    stop = threading.Event()
    assert problems(whole, manifest, stop) == ([], ["neo4j:graph: 1 database, 80 nodes, 40 relationships"])
    file = whole / member.files[0]
    data = file.read_bytes()
    rng = random.Random(11)
    for at in {len(data) - 1, *(rng.randrange(6, len(data)) for _ in range(60))}:  # before are bits that say nothing
        file.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        assert problems(whole, manifest, stop)[0], at
        file.write_bytes(data[:at])
        assert problems(whole, manifest, stop)[0], at


def few(server: Neo4jServer) -> None:
    """Some of everything, but of every type of value: that these come back, the first test shows."""
    for statement in SCHEMA[:3]:
        server.run(statement)
    server.run(
        "UNWIND range(1, 20) AS i CREATE (a:Person {id: 'p' + i, born: date('2000-01-01')})"
        "-[:KNOWS {how: 'well'}]->(:Place {id: 'q' + i, at: point({x: i, y: 1})})"
    )


def two(five: Neo4jServer, calendar: Neo4jServer, tmp_path: Path) -> list[Configured]:
    """The server that is backed up, and an empty one beside it."""
    return [
        configured(five, tmp_path),
        configured(calendar, tmp_path).model_copy(update={"name": "spare"}),
    ]


async def test_a_set_is_proven_on_another_server_which_is_empty_again_then(
    neo4j_five: Neo4jServer, neo4j_calendar: Neo4jServer, tmp_path: Path
) -> None:
    """Of 5.26 on 2026.09. What holds anything is refused, and stays; what differs is found."""
    empty(neo4j_five)
    empty(neo4j_calendar)
    nothing = content(neo4j_calendar)
    few(neo4j_five)
    sets = tmp_path / "sets"
    sets.mkdir()
    servers = two(neo4j_five, neo4j_calendar, tmp_path)
    one = series(sets, {"neo4j": [{"server": "graph", "scratch": "spare"}]})
    whole = await made(task(one, neo4j=servers), sets)
    manifest, _ = manifests.read(whole)
    proving = BackupVerification([one], tmp_path / "state", neo4j=servers)
    plan = await proving.plan("pa", {"level": "restored"})
    effects = [await proving.apply("pa", action) for action in plan.actions]
    facts = manifest.members[0].facts["databases"]["neo4j"]
    told = f"{facts['nodes']} nodes, {facts['relationships']} relationships, {facts['schema']} indexes and constraints"
    assert effects[-1].detail == f"neo4j:graph: {told} in Neo4j {neo4j_calendar.release.version}"
    assert content(neo4j_calendar) == nothing
    graphs = {"graph": servers[1]}
    other = {**facts, "relationships": facts["relationships"] + 1}
    member = replace(manifest.members[0], facts={**manifest.members[0].facts, "databases": {"neo4j": other}})
    wrong, _ = await asyncio.to_thread(
        restored, whole, replace(manifest, members=[member]), tmp_path, threading.Event(), None, graphs
    )
    assert "relationships are" in wrong[0]
    neo4j_calendar.run("CREATE (:Mine {id: 'm'})")
    with pytest.raises(TaskError, match="the database neo4j of Neo4j spare is not empty"):
        await proving.apply("pa", plan.actions[-1])
    assert len(content(neo4j_calendar)["nodes"]) == 1
    with pytest.raises(TaskError, match="name one that holds nothing in scratch"):
        await asyncio.to_thread(restored, whole, manifest, tmp_path, threading.Event())
    # An older server does not take what is of a newer one.
    older = replace(manifest.members[0], facts={**manifest.members[0].facts, "server_version": "2027.01.0"})
    with pytest.raises(TaskError, match=r"restore into Neo4j 2027\.01\.0"):
        await asyncio.to_thread(
            restored, whole, replace(manifest, members=[older]), tmp_path, threading.Event(), None, graphs
        )


async def test_it_is_restored_in_place_after_a_copy_and_goes_on_where_it_was_interrupted(
    neo4j_five: Neo4jServer, neo4j_calendar: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(neo4j_five)
    empty(neo4j_calendar)
    few(neo4j_five)
    before = content(neo4j_five)
    (tmp_path / "sets").mkdir()
    (tmp_path / "state").mkdir()
    servers = two(neo4j_five, neo4j_calendar, tmp_path)
    one = series(tmp_path / "sets", {"neo4j": ["graph"]})
    await made(task(one, neo4j=servers), tmp_path / "sets")
    # Into the empty database of another server.
    elsewhere = Restore([one], neo4j=servers)
    params = {"only": ["neo4j:graph"], "to": "spare"}
    for action in (await elsewhere.plan("pa", params)).actions:
        effect = await elsewhere.apply("pa", action)
        assert effect.state == "done"
        assert (await elsewhere.apply("pa", action)).state == "done"  # done twice, it is there
    for kind in ("nodes", "relationships"):  # indexes of vectors have more options there
        assert content(neo4j_calendar)[kind] == before[kind], kind
    with pytest.raises(TaskError, match="is not empty"):
        await elsewhere.plan("pa", params)
    # In place, killed once all of it is gone: the copy is there, and the next run fills it.
    neo4j_five.run("MATCH (n:Person) DETACH DELETE n")
    neo4j_five.run("CREATE (:Later {id: 'later'})")
    changed = content(neo4j_five)
    owner = Owner(host="kitchen", state=str(tmp_path / "state"))
    docker = DockerEngine("unix:///nowhere/docker.sock")
    restore = RestoreInPlace([one], (), owner, "tests", lambda: docker, neo4j=servers)
    plan = await restore.plan("pa", {})
    replacing = next(at for at, action in enumerate(plan.actions) if action.kind == "replace")
    for action in plan.actions[:replacing]:
        assert (await restore.apply("pa", action)).state == "done"
    with monkeypatch.context() as broken:
        broken.setattr(filling, "load", killed)
        with pytest.raises(Killed):
            await restore.apply("pa", plan.actions[replacing])
    assert len(content(neo4j_five)["nodes"]) == 1  # the mark
    for action in plan.actions[replacing:]:
        assert (await restore.apply("pa", action)).state == "done"
    for kind, wanted in before.items():
        assert content(neo4j_five)[kind] == wanted, kind
    # And back again, from the copy of what was there.
    (copy_set,) = (tmp_path / "sets").glob(".before-restore-*")
    for action in (await restore.plan("pa", {"set": copy_set.name})).actions:
        assert (await restore.apply("pa", action)).state == "done"
    for kind, wanted in changed.items():
        assert content(neo4j_five)[kind] == wanted, kind


class Killed(Exception):
    """Stands for the end of the process: nobody catches it."""


async def killed(*_: object, **__: object) -> None:
    raise Killed


async def test_what_is_wrong_is_said_by_the_plan(neo4j_five: Neo4jServer, tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    server = configured(neo4j_five, tmp_path)
    make = {"neo4j": [{"server": "graph", "databases": ["no-such"]}]}
    with pytest.raises(TaskError, match="Neo4j graph has no database 'no-such' to export; it has: neo4j"):
        await task(series(tmp_path / "sets", make), neo4j=[server]).plan("pa")
    away = server.model_copy(update={"uri": "bolt://127.0.0.1:1"})
    with pytest.raises(Neo4jUnavailable):
        await task(series(tmp_path / "sets", {"neo4j": ["graph"]}), neo4j=[away]).plan("pa")


async def test_memory_is_flat(neo4j_five: Neo4jServer, tmp_path: Path) -> None:
    """Of 24 MB of properties no more than a few are held at once."""
    empty(neo4j_five)
    neo4j_five.run("UNWIND range(1, 3000) AS i CREATE (:A {text: $text})", text="x" * 8000)
    asks = driver(neo4j_five, tmp_path)
    total = 0

    def count(data: bytes) -> None:
        nonlocal total
        total += len(data)

    tracemalloc.start()
    try:
        await export(asks, "neo4j", "5.26", count)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await asks.discard()
    assert total > 24_000_000
    assert peak < 8_000_000


async def test_a_backup_of_a_server_that_hangs_ends_when_it_is_cancelled(
    neo4j_five: Neo4jServer, tmp_path: Path
) -> None:
    (tmp_path / "sets").mkdir()
    backup = task(series(tmp_path / "sets", {"neo4j": ["graph"]}), neo4j=[configured(neo4j_five, tmp_path)])
    plan = await backup.plan("pa")
    with neo4j_five.hung():
        copying = asyncio.ensure_future(backup.apply("pa", plan.actions[0]))
        await wait_until(lambda: len(list((tmp_path / "sets").iterdir())), equals=1)
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(10):  # less than the driver would wait for the server
                await copying
