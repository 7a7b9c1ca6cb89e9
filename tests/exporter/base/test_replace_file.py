"""A file is replaced whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from exporter.base.replace_file import create_file, replace_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_that_is_new_and_one_that_is_replaced(tmp_path: Path, durable: bool) -> None:
    file = tmp_path / "results.json"
    replace_file(file, b"one", durable=durable)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one", 0o600)
    replace_file(file, b"two", mode=0o644, durable=durable)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o644)
    assert os.listdir(tmp_path) == ["results.json"]


def test_on_a_failure_the_file_is_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(b"before")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"after", durable=True)
    assert file.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["results.json"]


def test_a_reader_that_has_it_open_keeps_reading_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "config"
    replace_file(file, b"old")
    with file.open("rb") as reader:
        replace_file(file, b"new")
        assert reader.read() == b"old"


def test_where_there_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "file", b"")


def test_a_file_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    create_file(file, b"first")
    create_file(file, b"second")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"first", 0o600)
    assert os.listdir(tmp_path) == ["token"]


def test_a_file_that_cannot_be_written_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        create_file(tmp_path / "token", b"first")
    assert os.listdir(tmp_path) == []
