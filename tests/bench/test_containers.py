"""cadvisor beside us: when it takes part, and that it is only measured while it sees the containers."""

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.containers import CADVISOR, NAMES, cadvisor, engine, named_cadvisor, wait_until_seen
from bench.report import Skipped
from bench.scrape import Connection

FAKE = Path(__file__).with_name("fake_cadvisor.py")


def test_without_a_program_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CADVISOR, raising=False)
    assert named_cadvisor() is None
    monkeypatch.setenv(CADVISOR, sys.executable)
    assert named_cadvisor() == sys.executable


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_program_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CADVISOR, str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match=f"{CADVISOR} names .*, which is no program"):
        named_cadvisor()


@pytest.mark.parametrize("required", [False, True])
def test_where_no_engine_can_run_the_benchmark_is_skipped_with_the_reason(
    required: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("tests.helpers.REQUIRE_ALL", required)
    reason = f"needs root; without {CADVISOR} containers are left out"
    with pytest.raises(Skipped, match=reason), engine(tmp_path / "d"):
        raise AssertionError("it has started")


@pytest.mark.servers
def test_it_is_measured_once_it_sees_every_container(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a fake cadvisor."""
    root = tmp_path_factory.mktemp("c")
    program = root / "cadvisor"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    program.chmod(0o755)
    with engine(root / "d") as host:
        with cadvisor(str(program), host, root / "log") as (process, port):
            assert process.is_running()
            with closing(Connection(port)) as connection:
                assert connection.scrape() > 0
        assert not process.is_running()
    assert not (root / "d").exists()


def test_one_that_sees_less_is_not_measured(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics"
    series = [f'container_last_seen{{name="{name}"}} 1\n' for name in NAMES]
    metrics.write_text("".join(series[1:]))
    with pytest.raises(RuntimeError, match=r"has no series of bench-0$"):
        wait_until_seen(metrics.as_uri(), 'name="{}"', seconds=0)
    metrics.write_text("".join(series))
    wait_until_seen(metrics.as_uri(), 'name="{}"', seconds=0)
