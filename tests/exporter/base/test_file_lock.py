"""Locks on files and directories."""

import os
from pathlib import Path

import pytest

from exporter.base.file_lock import AlreadyLocked, is_locked, lock_directory, lock_file


def test_a_file_is_locked_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = lock_file(path)
    os.write(first, b"4711\n")
    with pytest.raises(AlreadyLocked, match=r"^4711$"):
        lock_file(path)
    os.close(first)
    os.close(lock_file(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_is_locked_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    first = lock_directory(tmp_path)
    with pytest.raises(AlreadyLocked, match=r"^$"):
        lock_directory(tmp_path)
    os.close(first)
    os.close(lock_directory(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_lock_that_is_refused_costs_no_descriptor(tmp_path: Path) -> None:
    held = lock_file(tmp_path / "lock")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(AlreadyLocked):
        lock_file(tmp_path / "lock")
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(held)


def test_what_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock_directory(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        lock_file(tmp_path / "none" / "lock")
    assert not is_locked(tmp_path / "none" / "lock")


def test_whether_a_file_is_locked_is_told_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert os.listdir(tmp_path) == []
    held = lock_file(path)
    assert [is_locked(path), is_locked(path)] == [True, True]
    os.close(held)
    assert not is_locked(path)
