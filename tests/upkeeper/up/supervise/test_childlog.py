"""The bounded log file of a process."""

from pathlib import Path

import pytest

from tests.filesystems import mounted
from tests.smalldisk import fill
from upkeeper.up.supervise.childlog import TAIL, ChildLog


def test_the_file_and_the_one_before_hold_the_last_lines(tmp_path: Path) -> None:
    log = ChildLog(str(tmp_path / "log" / "one.log"), limit=100)
    for number in range(30):
        log.write(b"line %03d\n" % number)
    log.close()
    now, before = (tmp_path / "log" / "one.log"), (tmp_path / "log" / "one.log.1")
    assert now.stat().st_size <= 100
    assert before.stat().st_size <= 100
    kept = (before.read_text() + now.read_text()).splitlines()
    assert kept == [f"line {number:03d}" for number in range(30 - len(kept), 30)]
    assert sorted(path.name for path in now.parent.iterdir()) == ["one.log", "one.log.1"]


def test_the_limit_holds_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    for _ in range(5):
        log = ChildLog(str(path), limit=100)
        log.write(b"x" * 60 + b"\n")
        log.close()
    assert path.stat().st_size <= 100
    assert (tmp_path / "one.log.1").stat().st_size <= 100


def test_the_tail_is_kept_in_memory(tmp_path: Path) -> None:
    log = ChildLog(str(tmp_path / "one.log"))
    for number in range(TAIL + 5):
        log.write(b"%d \xff\n" % number)
    log.close()
    assert len(log.tail) == TAIL
    assert log.tail[-1] == f"{TAIL + 4} \N{REPLACEMENT CHARACTER}"


def test_a_file_that_cannot_be_written_costs_lines_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = ChildLog(str(tmp_path / "taken"))
    (tmp_path / "taken").mkdir()
    log.write(b"lost\n")
    log.write(b"lost too\n")
    assert capsys.readouterr().err.count("lines are lost") == 1
    (tmp_path / "taken").rmdir()
    log.write(b"kept\n")
    log.close()
    assert (tmp_path / "taken").read_text() == "kept\n"
    assert log.tail == ["lost", "lost too", "kept"]


@pytest.mark.slow
def test_a_disk_that_is_full_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last of the room takes a part of a line, which is no error to the system."""
    with mounted(tmp_path / "disk", "tmpfs", 1024 * 1024) as disk:
        log = ChildLog(str(disk / "one.log"))
        log.write(b"first\n")
        fill(disk)
        for _ in range(500):
            log.write(b"x" * 100 + b"\n")
        log.close()
    assert capsys.readouterr().err.count("lines are lost") == 1
