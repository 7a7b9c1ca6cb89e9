"""What statx(2) tells of a directory's entries, beside what os.stat tells of the same."""

import os
import subprocess
from pathlib import Path

import pytest

from exporter.base import statx
from exporter.base.statx import Looker
from tests.filesystems import mounted
from tests.helpers import require_program


def populate(directory: Path) -> list[str]:
    (directory / "file").write_bytes(b"x" * 5000)
    (directory / "caf\udce9 \n").write_bytes(b"")
    os.utime(directory / "file", ns=(1, -1_500_000_001))  # before 1970, to the nanosecond
    os.link(directory / "file", directory / "other name")
    (directory / "link").symlink_to("file")
    (directory / "dangling").symlink_to("nowhere")
    (directory / "below").mkdir()
    os.mkfifo(directory / "pipe")
    with (directory / "holes").open("wb") as file:
        file.truncate(1 << 40)
    return sorted(os.listdir(directory))


@pytest.mark.parametrize("refused", [None, "ENOSYS", "missing"])
def test_it_tells_the_same_as_stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str | None) -> None:
    names = populate(tmp_path)
    if refused == "missing":
        monkeypatch.setattr(statx, "_statx", None)
    elif refused:
        monkeypatch.setattr(statx, "_statx", lambda *_: -1)
        monkeypatch.setattr(statx.ctypes, "get_errno", lambda: 38)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        looker = Looker(fd)
        assert len(names) == 8
        for name in [*names, *reversed(names)]:
            facts = os.stat(name, dir_fd=fd, follow_symlinks=False)
            assert looker.look(name) == (
                *(facts.st_dev, facts.st_ino, facts.st_mode, facts.st_nlink),
                *(facts.st_size, facts.st_blocks, facts.st_mtime_ns, facts.st_ctime_ns, False),
            )
        assert looker.look("no such name") is None
    finally:
        os.close(fd)


def test_what_is_no_entry_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        with pytest.raises(NotADirectoryError):
            Looker(fd).look("name")
    finally:
        os.close(fd)


@pytest.mark.parametrize("flag", ["i", "a"])
def test_what_chattr_forbids_is_known(tmp_path: Path, flag: str) -> None:
    chattr = require_program("chattr", "e2fsprogs")
    with mounted(tmp_path / "disk", "ext4", 16 << 20) as disk:
        for name in ("free", "fixed"):
            (disk / name).touch()
        subprocess.run([chattr, f"+{flag}", disk / "fixed"], check=True)
        fd = os.open(disk, os.O_RDONLY)
        try:
            found = {name: Looker(fd).look(name) for name in ("free", "fixed")}
        finally:
            os.close(fd)
            subprocess.run([chattr, f"-{flag}", disk / "fixed"], check=True)
    assert {name: facts and facts[-1] for name, facts in found.items()} == {"free": False, "fixed": True}
