"""Backups measured by the exporter as a process: real repositories, and a directory that never answers."""

import os
import shutil
import time
from pathlib import Path

import psutil
import pytest
import yaml

from exporter.backups.results import Result, Results, write
from tests.exporter.backups.backupdir import make_set
from tests.exporter.process import ExporterProcess
from tests.helpers import wait_until
from tests.hung_mount import hung_mount
from tests.restic import PASSWORD, Real, make_repository

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    return make_repository(tmp_path_factory.mktemp("restic"))


def config(tmp_path: Path, real: Real) -> str:
    (tmp_path / "wrong").write_text("wrong-password\n")
    (tmp_path / "env").write_text("AWS_SECRET_ACCESS_KEY=topsecret\n")

    def restic(name: str, password_file: Path, repository: Path) -> dict[str, object]:
        keys = {"repository": str(repository), "password_file": str(password_file), "env_file": f"{tmp_path}/env"}
        return {"name": name, "restic": keys}

    return yaml.safe_dump(
        {
            "backups": [
                {"name": "well", "path": str(tmp_path / "well"), "pattern": "b-*", "settle": 0},
                {"name": "stuck", "path": str(tmp_path / "hung"), "pattern": "b-*", "settle": 0},
                restic("repo", real.password_file, real.path),
                restic("locked-out", tmp_path / "wrong", real.path),
                restic("repo-stuck", real.password_file, tmp_path / "hung" / "repo"),
            ],
            "collectors": {
                "docker": {"enabled": False},
                "docker_usage": {"enabled": False},
                "filesystem": {"enabled": False},
                "backups": {
                    "interval": "100ms", "deadline": "1s", "restic_interval": "500ms", "restic_deadline": "10s"
                },
            },
        }
    )  # fmt: skip


async def test_what_hangs_or_fails_costs_its_own_figures_and_no_secret_shows(tmp_path: Path, real: Real) -> None:
    """The mount ends before the exporter: the kernel ends no process that waits for it."""
    make_set(tmp_path / "well", "b-1", 100)
    (tmp_path / "hung").mkdir()
    state = tmp_path / "state"
    write(state, "repo", Results({"readable": Result("x", True, 1000.0)}))

    def up(exporter: ExporterProcess) -> dict[str, float]:
        names = ("well", "stuck", "repo", "locked-out", "repo-stuck")
        metrics = exporter.metrics()
        return {name: metrics.get(f'upkeeper_backup_up{{backup="{name}"}}', -1) for name in names}

    async with ExporterProcess(tmp_path, config(tmp_path, real), state) as exporter:
        async with hung_mount(tmp_path / "hung"):
            expected = {"well": 1, "stuck": 0, "repo": 1, "locked-out": 0, "repo-stuck": 0}
            await wait_until(lambda: up(exporter), equals=expected, what="the figures of all that answers", timeout=120)
            size = 'upkeeper_backup_size_bytes{backup="repo"}'
            await wait_until(lambda: exporter.metrics().get(size), equals=300_000, what="the size of a snapshot")
            metrics = exporter.metrics()
            assert metrics['upkeeper_backup_sets{backup="repo"}'] == 3
            assert metrics['upkeeper_backup_verify_success{backup="repo",level="readable"}'] == 1
            assert metrics['upkeeper_backup_size_bytes{backup="well"}'] == 100
            assert metrics['upkeeper_collector_success{collector="backups"}'] == 1
            newest = metrics['upkeeper_backup_last_success_timestamp_seconds{backup="well"}']
            assert newest == pytest.approx(time.time() - 86400, abs=120)
            shutil.copytree(tmp_path / "well" / "b-1", tmp_path / "well" / "b-2")
            sets = 'upkeeper_backup_sets{backup="well"}'
            await wait_until(lambda: exporter.metrics()[sets], equals=2, what="a new set to be found meanwhile")
        expected = {"well": 1, "stuck": 1, "repo": 1, "locked-out": 0, "repo-stuck": 0}
        await wait_until(lambda: up(exporter), equals=expected, what="the directory to answer again")
        exposition, log = exporter.get("/metrics")[1], exporter.log.read_text()
        assert "wrong password or no key found" in log
        for secret in (PASSWORD, "wrong-password", "topsecret"):
            assert secret not in exposition
            assert secret not in log


async def test_a_changed_config_takes_over_what_is_known(tmp_path: Path, real: Real) -> None:
    make_set(tmp_path / "well", "b-1", 100)
    (tmp_path / "hung").mkdir()
    async with ExporterProcess(tmp_path, config(tmp_path, real)) as exporter:
        series = 'upkeeper_backup_sets{backup="repo"}'
        await wait_until(lambda: exporter.metrics().get(series), equals=3, what="the first figures")
        exporter.config.write_text(exporter.config.read_text().replace("restic_interval: 500ms", "restic_interval: 1h"))
        limit = "upkeeper_config_last_reload_success_timestamp_seconds"
        before = exporter.metrics()[limit]
        exporter.hangup()
        await wait_until(lambda: exporter.metrics()[limit] > before, what="the config to be taken over")
        await wait_until(lambda: exporter.metrics().get(series), equals=3, what="the figures with the new config")


async def test_its_end_is_that_of_a_restic_that_waits(tmp_path: Path, real: Real) -> None:
    (tmp_path / "repo").mkdir()
    os.mkfifo(tmp_path / "repo" / "config")  # opening it waits for a writer
    text = config(tmp_path, Real(tmp_path / "repo", real.password_file))
    async with ExporterProcess(tmp_path, text) as exporter:
        process = psutil.Process(exporter.pid)
        await wait_until(lambda: len(process.children()) >= 2, what="restic to be started")
        children = process.children()
        assert exporter.end() == 0
        await wait_until(lambda: not any(child.is_running() for child in children), what="restic to end")
