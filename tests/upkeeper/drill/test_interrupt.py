"""Ctrl-C, SIGTERM and kill -9 in the middle of a drill."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from remediator.statedir import StateDir
from tests.upkeeper.commandline import CLEAN, SOURCES
from upkeeper.drill import breach
from upkeeper.drill.stations import Station


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


def start(state: StateDir, station: Station) -> subprocess.Popen[str]:
    """A drill that has reached the station."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.upkeeper.drill.interrupted", str(state.root), station],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=CLEAN,
        cwd=SOURCES,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    assert len(list(state.drill.iterdir())) == breach.FILES
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("station", [Station.MEASURED, Station.ACCEPTED, Station.VERIFIED])
def test_nothing_is_left_behind(state: StateDir, number: signal.Signals, station: Station) -> None:
    process = start(state, station)
    process.send_signal(number)
    process.send_signal(number)  # people press Ctrl-C twice
    _, errors = process.communicate(timeout=60)
    assert errors == "interrupted; nothing is left behind\n"
    assert process.returncode == 130
    assert list(state.root.iterdir()) == []


def test_after_a_kill_the_next_drill_cleans_up_and_may_run(state: StateDir) -> None:
    killed = start(state, Station.PENDING)
    killed.kill()
    killed.communicate(timeout=60)
    assert state.drill.exists()
    follower = start(state, Station.PENDING)
    follower.send_signal(signal.SIGTERM)
    follower.communicate(timeout=60)
    assert list(state.root.iterdir()) == []
