"""One `upkeeper up` a state directory."""

import os
from pathlib import Path

import pytest

from remediator.model.errors import ClientError
from upkeeper.up.lock import hold


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock.up"
    descriptor = hold(path)
    with pytest.raises(ClientError, match=rf"already runs on {tmp_path} \(pid {os.getpid()}\)"):
        hold(path)
    os.close(descriptor)


def test_it_can_be_held_again_after_its_end(tmp_path: Path) -> None:
    path = tmp_path / "lock.up"
    for _ in range(2):
        descriptor = hold(path)
        assert path.read_text() == f"{os.getpid()}\n"
        os.close(descriptor)
