"""Probes of databases on real servers: that answer, are frozen, shut down, or are something else."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable

import pytest

from exporter.probing.result import ProbeResult
from tests.exporter.serving import Raw, detailed, result, speaking
from tests.helpers import wait_until
from tests.neo4j_server.server import Neo4jServer
from tests.ports import free_port
from tests.postgres_server import PostgresServer

Factory = Callable[..., PostgresServer]


def log_of(server: PostgresServer) -> str:
    return (server.directory / "log").read_text(errors="replace")


def url_of(server: PostgresServer) -> str:
    return f"postgres://127.0.0.1:{server.port}"


@pytest.mark.servers
async def test_a_postgres_server_that_answers(postgres: PostgresServer) -> None:
    before = log_of(postgres)
    found, recorder = await detailed(url_of(postgres))
    for _ in range(5):
        assert (await result(url_of(postgres))).success
    assert (found.success, found.detail, found.status) == (True, "takes connections", None)
    assert set(found.phases) == {"resolve", "connect", "processing"}
    assert [step.what for step in recorder.steps] == ["resolved", "connected", "received"]
    postgres.sql("SELECT 1")
    assert log_of(postgres) == before, "it leaves no line in the server's log"


@pytest.mark.servers
async def test_a_frozen_postgres_server_takes_connections_and_is_down(postgres15: PostgresServer) -> None:
    with postgres15.hung():
        by_port = await result(f"tcp://127.0.0.1:{postgres15.port}", timeout=30)
        by_asking = await result(url_of(postgres15), timeout=2)
    assert (by_port.success, by_port.detail) == (True, "connected"), "the kernel answers for it"
    assert not by_asking.success
    assert by_asking.detail == "no complete answer within 2 s, while in the phase processing"
    assert not by_asking.starting
    assert (await result(url_of(postgres15))).success


@pytest.mark.servers
async def test_a_postgres_server_that_shuts_down_says_so(postgres_factory: Factory) -> None:
    server = postgres_factory()
    with server.connect():  # for which a smart shutdown waits
        os.kill(server.pid, signal.SIGTERM)

        async def refused() -> ProbeResult | None:
            found = await result(url_of(server))
            return None if found.success else found

        found = await wait_until(refused)
        assert found.detail == "the database system is shutting down"
        assert found.starting
    await wait_until(lambda: _closed(server.port))
    found = await result(url_of(server))
    assert "Connection refused" in found.detail
    assert not found.starting


def _closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.servers
async def test_a_postgres_server_that_is_full_or_refuses_us_answers(postgres_factory: Factory) -> None:
    """A restart would end the connections of everybody; UpkeeperPostgresConnectionsNearMax tells of these."""
    server = postgres_factory(max_connections="4", superuser_reserved_connections="1", max_wal_senders="0")
    with server.connect(), server.connect(), server.connect(), server.connect():
        full = await result(url_of(server))
    assert full.success
    assert "too many clients" in full.detail or "takes connections" in full.detail
    hba = server.directory / "data" / "pg_hba.conf"
    hba.write_text("local all all scram-sha-256\n")
    server.sql("SELECT pg_reload_conf()")

    async def refused() -> ProbeResult | None:
        found = await result(url_of(server))
        return found if "no pg_hba.conf entry" in found.detail else None

    assert (await wait_until(refused)).success


@pytest.mark.servers
async def test_a_postgres_server_that_trusts_everybody(postgres_factory: Factory) -> None:
    server = postgres_factory()
    (server.directory / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\nlocal all all trust\n")
    server.sql("SELECT pg_reload_conf()", "CREATE ROLE postgres LOGIN")
    before = log_of(server)
    assert (await result(url_of(server))).detail == "takes connections"
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeeper'"
    await wait_until(lambda: server.sql(ours), equals=[(0,)])
    assert "FATAL" not in log_of(server).removeprefix(before)


@pytest.mark.servers
async def test_a_neo4j_server_that_answers_and_one_that_is_frozen(neo4j_server: Neo4jServer) -> None:
    url = f"bolt://127.0.0.1:{neo4j_server.port}"
    found = await result(url)
    assert found.success, found.detail
    assert found.detail.startswith("speaks Bolt 5.")
    with neo4j_server.hung():
        assert (await result(f"tcp://127.0.0.1:{neo4j_server.port}", timeout=30)).success
        frozen = await result(url, timeout=2)
    assert frozen.detail == "no complete answer within 2 s, while in the phase processing"


def says(text: bytes) -> Raw:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(20)
        writer.write(text)
        await writer.drain()

    return speak


@pytest.mark.parametrize(
    ("scheme", "answer", "reason"),
    [
        ("postgres", b"", "the connection ended without a PostgreSQL answer"),
        ("postgres", b"R\0\0", "the connection ended without a PostgreSQL answer"),
        (
            "postgres",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "the answer is not that of a PostgreSQL server, or it cannot",
        ),
        (
            "postgres",
            b"Ecould not fork new process for connection\0",
            "the answer is not that of a PostgreSQL server, or it",
        ),
        ("postgres", b"E\x7f\xff\xff\xff", "the answer is not that of a PostgreSQL server, or it cannot"),
        ("postgres", b"E\0\0\0\x24SFATAL\0C57P03\0Mnot\nyet \x1b[31m\0\0\0\0\0\0\0\0\0", "not yet [31m"),
        ("bolt", b"", "the connection ended without a Bolt answer"),
        ("bolt", b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer is not Bolt"),
    ],
)
async def test_what_is_no_such_server(scheme: str, answer: bytes, reason: str) -> None:
    async with speaking(says(answer)) as port:
        found = await result(f"{scheme}://127.0.0.1:{port}")
    assert not found.success
    assert found.detail.startswith(reason)
    assert found.detail.isprintable()


async def test_bolt_without_a_common_version_is_an_answer() -> None:
    async with speaking(says(bytes(4))) as port:
        found = await result(f"bolt://127.0.0.1:{port}")
    assert (found.success, found.detail) == (True, "speaks Bolt none that was offered")


@pytest.mark.parametrize("scheme", ["postgres", "bolt"])
async def test_nobody_listens(scheme: str) -> None:
    found = await result(f"{scheme}://127.0.0.1:{free_port()}")
    assert "Connection refused" in found.detail
