"""Ways to a real PostgreSQL server: TLS, .pgpass, a host name; and the exporter process over a changed config."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.exporter.postgres.figures import collecting, figures_of, settings
from tests.exporter.process import ExporterProcess
from tests.exporter.tls import make_certificate
from tests.helpers import wait_until
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

pytestmark = pytest.mark.servers


async def test_tls_proves_the_server(
    postgres_factory: Callable[..., PostgresServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres_factory()
    made, other = make_certificate(tmp_path), make_certificate(tmp_path, days=31)
    for source, name in ((made.certificate, "server.crt"), (made.key, "server.key")):
        target = server.directory / "data" / name
        shutil.copy(source, target)
        target.chmod(0o600)
        shutil.chown(target, (server.directory / "data").owner())
    server.sql("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    right = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(made.certificate)}

    async def encrypted() -> bool:
        return (await figures_of(settings(server, tmp_path / "password", **right))).value("up") == 1

    await wait_until(encrypted, what="the server to speak TLS")
    with capture_logs() as logs:
        wrong = right | {"sslrootcert": str(other.certificate)}
        assert (await figures_of(settings(server, tmp_path / "password", **wrong))).value("up") == 0
    assert "certificate verify failed" in logs[0]["reason"]


async def test_a_file_like_pgpass(postgres15: PostgresServer, tmp_path: Path) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"*:{postgres15.port}:*:{SUPERUSER}:{PASSWORD}\n")
    file.chmod(0o600)
    assert (await figures_of(settings(postgres15, None, passfile=str(file)))).value("up") == 1
    file.write_text("")
    with capture_logs() as logs:
        assert (await figures_of(settings(postgres15, None, passfile=str(file)))).value("up") == 0
    assert "no password supplied" in logs[0]["reason"]


async def test_names_that_are_no_utf8(postgres15: PostgresServer, tmp_path: Path) -> None:
    postgres15.sql("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        postgres15.sql("DO $$ BEGIN EXECUTE 'CREATE TABLE caf' || chr(233) || ' ()'; END $$", dbname="ascii")
        figures = await figures_of(settings(postgres15, tmp_path / "password"))
        assert figures.labels("table_live_tuples", "relname") >= {'public."caf\\xe9"'}
    finally:
        postgres15.sql("DROP DATABASE ascii WITH (FORCE)")


async def test_the_exporter_has_one_connection_also_after_its_config_has_changed(
    postgres_factory: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    server = postgres_factory()
    password = tmp_path / "password"
    password.write_text(PASSWORD)

    def config(interval: str) -> str:
        main = {"name": "db", "host": "127.0.0.1", "port": server.port, "user": SUPERUSER}
        return json.dumps(
            {
                "postgres": [main | {"password_file": str(password)}],
                "collectors": {
                    "postgres": {"interval": interval},
                    **{name: {"enabled": False} for name in ("docker", "docker_usage", "filesystem")},
                },
            }
        )

    def backends() -> list[int]:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'upkeeper'"
        return [pid for (pid,) in server.sql(query)]

    async with ExporterProcess(tmp_path, config("100ms")) as exporter:
        await wait_until(lambda: exporter.metrics().get('upkeeper_postgres_up{server="db"}'), equals=1)
        (first,) = backends()
        exporter.config.write_text(config("150ms"))
        exporter.hangup()

        seen: list[list[int]] = []

        def replaced() -> bool:
            seen.append(backends())
            return seen[-1] not in ([], [first])

        await wait_until(replaced, what="a connection of the new config")
        assert max(map(len, seen)) == 1
        assert exporter.metrics()['upkeeper_postgres_up{server="db"}'] == 1
        assert exporter.end() == 0
        await wait_until(backends, equals=[], what="the connection to be closed")
    assert PASSWORD not in exporter.log.read_text()


async def test_nothing_is_imported_before_the_first_round(postgres15: PostgresServer, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from exporter.collectors.registry import build;"
        "from exporter.inventory.inventory import Inventory;"
        "build(Inventory(postgres=[{'name': 'db'}])); print('psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    async with collecting(settings(postgres15, tmp_path / "password")) as collector:
        await collector.collect()
    assert "psycopg_pool" not in sys.modules
