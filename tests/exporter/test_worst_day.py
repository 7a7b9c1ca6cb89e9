"""The whole exporter on the worst of days: all that it measures hangs at once, for real, and only that goes without."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path

import psutil
import pytest
import yaml

from tests.dockerd import Dockerd
from tests.exporter.process import ExporterProcess
from tests.helpers import wait_until
from tests.hung_mount import hung_mount
from tests.neo4j_server.server import PASSWORD as NEO4J_PASSWORD
from tests.neo4j_server.server import Neo4jServer
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

pytestmark = pytest.mark.servers

SCRAPES = 1000
QUICKLY = ("services", "filesystem", "logs", "docker", "backups", "postgres", "host")
MORE_BYTES = 12 * 1024 * 1024
"""What the exporter may grow by while everything hangs. Each leaked round would show many times over."""


@contextlib.asynccontextmanager
async def silent_port() -> AsyncIterator[int]:
    """A port that accepts and never answers."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def secret(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def standing(exporter: ExporterProcess) -> dict[str, float]:
    """Whether each thing that may hang answers."""
    ups = ("upkeeper_docker_up", "upkeeper_postgres_up", "upkeeper_neo4j_up", "upkeeper_log_directory_up{",
           "upkeeper_backup_up")  # fmt: skip
    return {name: value for name, value in exporter.metrics().items() if name.startswith(ups)}


def values(exporter: ExporterProcess, series: Iterable[str]) -> dict[str, float | None]:
    """What the exporter says of these series."""
    metrics = exporter.metrics()
    return {name: metrics.get(name) for name in series}


async def test_everything_hangs_at_once_and_all_the_rest_goes_on(
    tmp_path: Path, dockerd_factory: Callable[[], Dockerd], postgres15: PostgresServer, neo4j_five: Neo4jServer
) -> None:
    dockerd = dockerd_factory()
    dockerd.start()
    stuck, well = tmp_path / "stuck", tmp_path / "well"
    for directory in (stuck, well):
        directory.mkdir()
        (directory / "backup-2026-01-01.sql").write_text("select 1;\n")
    quick = {"interval": "200ms", "deadline": "2s"}
    async with silent_port() as port:
        config = {
            "services": [
                {"name": "silent", "probes": [{"url": f"http://127.0.0.1:{port}/", "timeout": "1s"}]},
                {"name": "open", "probes": [{"url": f"tcp://127.0.0.1:{port}"}]},
            ],
            "docker": {"host": dockerd.host},
            "logs": [
                {"name": directory.name, "path": str(directory), "max_bytes": "1GB"} for directory in (stuck, well)
            ],
            "backups": [
                {"name": directory.name, "path": str(directory), "pattern": "*.sql"} for directory in (stuck, well)
            ],
            "postgres": [
                {
                    "name": "db",
                    "port": postgres15.port,
                    "user": SUPERUSER,
                    "password_file": secret(tmp_path / "db-password", PASSWORD),
                }
            ],
            "neo4j": [
                {
                    "name": "graph",
                    "uri": neo4j_five.uri,
                    "username": "neo4j",
                    "password_file": secret(tmp_path / "graph-password", NEO4J_PASSWORD),
                }
            ],
            "collectors": dict.fromkeys(
                ("services", "filesystem", "logs", "docker", "backups", "postgres", "host"), quick
            )
            # Its first round on a cold server takes seconds.
            | {"neo4j": {"interval": "200ms", "deadline": "8s"}, "updates": {"enabled": False}},
        }
        async with ExporterProcess(tmp_path, yaml.safe_dump(config)) as exporter:
            process = psutil.Process(exporter.pid)
            await wait_until(lambda: exporter.get("/-/ready")[0], equals=200, what="a first round of each collector")
            before = await wait_until(
                lambda: (now := standing(exporter)) and all(now.values()) and now, what="everything to answer"
            )
            assert isinstance(before, dict)
            assert len(before) == 7
            hung = {name: 0.0 for name in before if '"well"' not in name}

            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(hung_mount(stuck))
                for server in (dockerd, postgres15, neo4j_five):
                    stack.enter_context(server.hung())
                await wait_until(lambda: standing(exporter), equals=before | hung, what="all that hangs to be seen")
                settled = process.num_threads(), process.num_fds(), process.memory_info().rss
                for _ in range(SCRAPES):
                    status, body = exporter.get("/metrics")
                    assert status == 200
                    assert "upkeeper_build_info" in body
                wanted = before | hung
                wanted['upkeeper_probe_success{probe="live",target="silent"}'] = 0
                wanted['upkeeper_probe_success{probe="live",target="open"}'] = 1
                wanted['upkeeper_log_apparent_bytes{directory="well"}'] = 10
                for collector in ("services", "filesystem", "logs", "backups", "host"):
                    wanted[f'upkeeper_collector_success{{collector="{collector}"}}'] = 1
                # A round may take longer than its deadline on a busy machine; the next one does not.
                await wait_until(partial(values, exporter, wanted), equals=wanted, what="the figures of the rest")
                assert process.num_threads() <= settled[0] + 2
                assert process.num_fds() <= settled[1] + 4
                assert process.memory_info().rss <= settled[2] + MORE_BYTES
                assert PASSWORD not in body + exporter.log.read_text()
                assert NEO4J_PASSWORD not in body + exporter.log.read_text()
            await wait_until(lambda: standing(exporter), equals=before, timeout=120, what="everything to answer again")
