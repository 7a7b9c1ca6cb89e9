"""The wheel, installed as people install things, into an empty home each time."""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("way", ["uv", "pipx", "pip"])
def test_it_works_and_goes_away_again(way: str) -> None:
    done = subprocess.run([str(ROOT / "scripts/try-installs"), way], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"works: {way}"
