"""The files of the breach come and go, also where their directory is a volume that stays."""

import os
import subprocess
from pathlib import Path

import pytest

from remediator.statedir import StateDir
from upkeeper.drill import breach


def test_they_come_and_go_with_their_directory(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    with breach.cleaned_up(state):
        breach.make(state.drill)
        assert len(list(state.drill.iterdir())) == breach.FILES
    assert not state.drill.exists()


def test_a_volume_stays_and_is_emptied(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    state = StateDir(tmp_path)
    state.drill.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(state.drill)], check=True)
    try:
        (state.drill / "left").mkdir()
        with breach.cleaned_up(state):
            breach.make(state.drill)
            assert len(list(state.drill.iterdir())) == breach.FILES
        assert list(state.drill.iterdir()) == []
    finally:
        subprocess.run(["umount", str(state.drill)], check=True)
