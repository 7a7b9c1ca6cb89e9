"""The neo4j collector and servers that hang, end, refuse, or are none."""

import asyncio
import gc
import re
import shutil
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from exporter.collectors.neo4j import Neo4jCollector
from exporter.inventory.neo4j import Neo4jServer as Settings
from exporter.neo4j.driver import LOGIN_PAUSE
from tests.exporter.neo4j import ports
from tests.exporter.neo4j.figures import Figures, collector_of, connections, figures, settings_of
from tests.exporter.process import ExporterProcess
from tests.helpers import HANG_GUARD, LONG, wait_until
from tests.helpers import rounds as as_asked
from tests.neo4j_server.server import PASSWORD, USERNAME, Neo4jServer
from tests.ports import free_port

NO_ANSWER = "no answer within|timed out"
"""Of the round, or on a busy machine already of the connection."""

PORTS = [
    (ports.never, NO_ANSWER),
    (ports.http, "looks like HTTP"),
    (ports.garbage, "does not support communication"),
    (ports.hang_up, "closed with incomplete handshake response"),
    (ports.never_log_in, NO_ANSWER),
    (ports.drip, NO_ANSWER),
]


def settings_at(port: int, **changes: Any) -> Settings:
    return Settings.model_validate({"name": "graph", "uri": f"bolt://127.0.0.1:{port}", **changes})


async def at_rest(tasks: int, port: int) -> None:
    """Waits until no task and no socket is left of what was asked there."""
    await wait_until(lambda: (len(asyncio.all_tasks()) <= tasks, connections(port)), equals=(True, 0))


@pytest.fixture
async def collector(neo4j_server: Neo4jServer) -> AsyncIterator[Neo4jCollector]:
    made = collector_of(settings_of(neo4j_server), deadline=1)
    neo4j_server.forget_login()  # so that all connections to its port are the collector's
    yield made
    await made.close()


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "reason"), PORTS, ids=lambda value: getattr(value, "__name__", None))
async def test_a_port_where_something_else_listens(answer: ports.Answer, reason: str) -> None:
    tasks = len(asyncio.all_tasks())
    async with ports.listening(answer) as port:
        # On a busy machine there must be time between giving up the connection and giving up the round.
        collector = collector_of(settings_at(port), deadline=2)
        with capture_logs() as lines:
            for _ in range(2):
                async with asyncio.timeout(HANG_GUARD):
                    assert (await figures(collector)).value("up") == 0
        # Once for each reason: on a busy machine the second round may fail in another phase.
        assert {line["event"] for line in lines} == {"neo4j server down"}
        assert len({line["reason"] for line in lines}) == len(lines)
        assert re.search(reason, lines[0]["reason"])
        assert lines[0]["reason"].isprintable()
        await wait_until(lambda: connections(port), equals=0)
        await collector.close()
    await at_rest(tasks, port)


async def test_a_port_where_nobody_listens() -> None:
    collector = collector_of(settings_at(free_port()))
    with capture_logs() as lines:
        found = await figures(collector)
    assert found.value("up") == 0
    assert found.names() == {"up", "index_population_max_seconds"}
    assert "Connect call failed" in lines[0]["reason"] or "refused" in lines[0]["reason"]
    await collector.close()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), ("\n", "is empty"), ("\udcff", "not text in UTF-8")]
)
async def test_a_password_file_that_does_not_help(content: str | None, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content, errors="surrogateescape")
    collector = collector_of(settings_at(free_port(), username="u", password_file=str(file)))
    with capture_logs() as lines:
        assert (await figures(collector)).value("up") == 0
    assert reason in lines[0]["reason"]


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_ca_file_that_does_not_help(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    collector = collector_of(settings_at(1, uri="bolt+s://127.0.0.1:1", ca_file=str(file)))
    with capture_logs() as lines:
        assert (await figures(collector)).value("up") == 0
    assert f"cannot use the ca_file {file}" in lines[0]["reason"]


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("hunter2-hunter2", "no user u with hunter2-hunter2"),
        ("hunter2  hunter2", "no user u with hunter2  hunter2"),
        ("hunter2-hunter2", f"no user u with hunter2-hunter2 {'x' * 257} hunter2-hunter2"),  # would be cut within it
    ],
)
async def test_a_server_that_repeats_the_password(password: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    async with ports.listening(ports.refusing(said)) as port:
        collector = collector_of(settings_at(port, username="u", password_file=str(file)))
        with capture_logs() as lines:
            found = await figures(collector)
        await collector.close()
    assert found.value("up") == 0
    assert "login refused" in lines[0]["reason"]
    assert "no user u with ***" in lines[0]["reason"]
    assert "hunter2" not in f"{lines} {found.text()} {vars(collector)}"


@pytest.mark.servers
async def test_a_server_that_hangs_while_connected(collector: Neo4jCollector, neo4j_server: Neo4jServer) -> None:
    tasks = len(asyncio.all_tasks())
    await wait_until(lambda: answering(collector))  # its first answers may take it long
    with neo4j_server.hung():
        for _ in range(3):
            async with asyncio.timeout(HANG_GUARD):
                assert (await figures(collector)).value("up") == 0
            await at_rest(tasks, neo4j_server.port)

    async def known() -> bool:
        return (await figures(collector)).value("nodes", database="neo4j") == 0

    await wait_until(known)
    await wait_until(lambda: connections(neo4j_server.port), equals=1)


@pytest.mark.servers
async def test_a_server_that_hangs_at_connect(neo4j_server: Neo4jServer) -> None:
    neo4j_server.forget_login()
    tasks = len(asyncio.all_tasks())
    with neo4j_server.hung():
        collector = collector_of(settings_of(neo4j_server), deadline=1)
        for _ in range(5):
            async with asyncio.timeout(HANG_GUARD):
                assert (await figures(collector)).value("up") == 0
    await at_rest(tasks, neo4j_server.port)
    await wait_until(lambda: answering(collector))
    await collector.close()


@pytest.mark.servers
async def test_a_hung_server_costs_only_its_own_figures(neo4j_five: Neo4jServer, neo4j_calendar: Neo4jServer) -> None:
    both = collector_of(settings_of(neo4j_five, name="other"), settings_of(neo4j_calendar), deadline=3)
    await both.collect()
    with neo4j_five.hung():
        families = []

        async def answers() -> bool:
            nonlocal families
            families = list(await both.collect())
            found = Figures(families)
            return found.value("up") == 1 and found.value("database_online", database="neo4j") == 1

        await wait_until(answers, what="the figures of the other one")
    await both.close()
    other = {sample.name for family in families for sample in family.samples if sample.labels["server"] == "other"}
    assert other == {"upkeeper_neo4j_up", "upkeeper_neo4j_index_population_max_seconds"}


@LONG
@pytest.mark.torture
@pytest.mark.servers
async def test_killed_damaged_and_mended(neo4j_five: Neo4jServer, tmp_path: Path) -> None:
    collector = collector_of(settings_of(neo4j_five))
    assert (await figures(collector)).value("up") == 1
    neo4j_five.kill()
    store = neo4j_five.data / "databases" / "neo4j"
    shutil.copytree(store, tmp_path / "whole")
    try:
        with capture_logs() as lines:
            assert (await figures(collector)).value("up") == 0
            assert (await figures(collector)).value("up") == 0
            (store / "neostore").write_bytes(b"no longer a store" * 100)
            neo4j_five.start()
            found = await figures(collector)
        assert [line["event"] for line in lines] == ["neo4j server down", "neo4j server answers again"]
        assert found.value("up") == 1
        assert found.value("database_online", database="system") == 1
        assert found.value("database_online", database="neo4j") == 0
        assert found.value("database_requested_online", database="neo4j") == 1
        assert found.value("nodes", database="neo4j") is None
        assert found.states() == {}
    finally:
        neo4j_five.kill()
        shutil.rmtree(store)
        shutil.move(tmp_path / "whole", store)
        neo4j_five.start()
    found = await wait_until(lambda: answering(collector))
    assert found.value("database_online", database="neo4j") == 1
    await collector.close()


@pytest.mark.servers
async def test_a_refused_login_does_not_lock_the_user_out(neo4j_server: Neo4jServer, tmp_path: Path) -> None:
    now = 0.0
    file = tmp_path / "password"
    file.write_text("wrong-and-secret")
    collector = collector_of(settings_of(neo4j_server, password_file=str(file)), monotonic=lambda: now)
    with capture_logs() as lines:
        for _ in range(10):  # the server itself allows three
            assert (await figures(collector)).value("up") == 0
        neo4j_server.forget_login()
        assert neo4j_server.run("RETURN 1 AS one") == [{"one": 1}]
        now = LOGIN_PAUSE
        assert (await figures(collector)).value("up") == 0
        assert len(lines) == 1
        assert "login refused" in lines[0]["reason"]
        assert "wrong-and-secret" not in str(lines)
        file.write_text(PASSWORD)
        assert (await figures(collector)).value("up") == 1
    await collector.close()


@pytest.mark.servers
@pytest.mark.torture
async def test_hundreds_of_rounds_leave_nothing_behind(neo4j_calendar: Neo4jServer, tmp_path: Path) -> None:
    """On a server that answers, beside ports that refuse, hang up and speak something else, and now and then hang."""
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    closed = free_port()
    async with (
        ports.listening(ports.http) as http,
        ports.listening(ports.garbage) as garbage,
        ports.listening(ports.hang_up) as hang_up,
        ports.listening(ports.never_log_in) as silent,
    ):
        bad = [settings_at(port, name=f"p{port}") for port in (closed, http, garbage, hang_up)]
        refused = settings_of(neo4j_calendar, name="refused", password_file=str(wrong))
        quick = collector_of(*bad, refused)
        hanging = collector_of(settings_at(silent), deadline=0.1)
        real = collector_of(settings_of(neo4j_calendar, databases=["neo4j"]))

        async def rounds(count: int) -> None:
            for number in range(count):
                await quick.collect()
                if number % 5 == 0:
                    assert (await figures(real)).value("up") == 1
                if number % 20 == 0:
                    await hanging.collect()

        # The event loop's own threads, of which there are a few, come as they are needed.
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.1) for _ in range(40)))
        with capture_logs():
            await rounds(60)
            before = await resources()
            await rounds(as_asked("ROUNDS", 240, 1000))
            after = await resources()
            await real.close()
            await quick.close()
            await hanging.close()
    assert after["tasks"] <= before["tasks"]
    assert after["threads"] <= before["threads"]
    assert after["files"] <= before["files"]
    assert after["memory"] - before["memory"] < 4 * 1024**2
    assert [connections(port) for port in (closed, http, garbage, hang_up, silent)] == [0] * 5


async def resources() -> dict[str, int]:
    """What this process holds, once it has come to rest."""
    process, last = psutil.Process(), -1

    async def settled() -> bool:
        nonlocal last
        await asyncio.sleep(0.2)
        gc.collect()
        before, last = last, process.num_fds() + len(asyncio.all_tasks())
        return before == last

    await wait_until(settled)
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": process.num_fds(),
        "memory": process.memory_info().rss,
    }


PROCESS = """
neo4j:
  - {{name: graph, uri: '{five}', username: {username}, password_file: '{password}'}}
  - {{name: other, uri: '{calendar}', username: {username}, password_file: '{password}'}}
collectors:
  filesystem: {{enabled: false}}
  docker: {{enabled: false}}
  docker_usage: {{enabled: false}}
  services: {{interval: 100ms}}
  neo4j: {{interval: 100ms, deadline: 2s}}
"""


@pytest.mark.servers
async def test_the_exporter_serves_the_rest_reloads_and_closes(
    tmp_path: Path, neo4j_five: Neo4jServer, neo4j_calendar: Neo4jServer
) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    config = PROCESS.format(five=neo4j_five.uri, calendar=neo4j_calendar.uri, username=USERNAME, password=password)

    def ours() -> int:
        rows = neo4j_five.run("CALL dbms.listConnections() YIELD userAgent", "system")
        return sum(str(row["userAgent"]).startswith("upkeeper/") for row in rows)

    await wait_until(ours, equals=0)
    async with ExporterProcess(tmp_path, config) as exporter:
        await wait_until(lambda: exporter.metrics().get('upkeeper_neo4j_up{server="graph"}'), equals=1)
        with neo4j_five.hung():
            await wait_until(lambda: exporter.metrics()['upkeeper_neo4j_up{server="graph"}'], equals=0)
            served = exporter.metrics()
            assert served['upkeeper_neo4j_up{server="other"}'] == 1
            assert served['upkeeper_collector_success{collector="neo4j"}'] == 1
            assert not [name for name in served if name.startswith("upkeeper_neo4j_nodes") and "graph" in name]
        await wait_until(lambda: exporter.metrics()['upkeeper_neo4j_up{server="graph"}'], equals=1)
        for _ in range(3):
            before = len([line for line in exporter.lines() if line["message"] == "config reloaded"])
            exporter.hangup()
            await wait_until(
                lambda before=before: (  # type: ignore[misc]
                    len([line for line in exporter.lines() if line["message"] == "config reloaded"]) > before
                )
            )
        await wait_until(ours, equals=1)
        assert PASSWORD not in exporter.get("/metrics")[1]
        assert exporter.end() == 0
        assert PASSWORD not in exporter.log.read_text()
        assert not [line for line in exporter.lines() if line["logger"].startswith("neo4j")]
        assert not [line for line in exporter.lines() if line["level"] == "error"]
    await wait_until(ours, equals=0)


async def answering(collector: Neo4jCollector) -> Figures | None:
    found = await figures(collector)
    return found if found.value("up") else None
