"""The walk of a log directory."""

import fnmatch
import os
import subprocess
import threading
from pathlib import Path

import pytest

from exporter.inventory.logs import LogDirectory
from exporter.logdirs.usage import MAX_DEPTH, LogUsage, WalkStopped, measure, name_filter
from tests.helpers import require_program


def directory(path: Path, **settings: object) -> LogDirectory:
    return LogDirectory.model_validate({"name": "logs", "path": str(path), "max_bytes": 1, **settings})


def write(path: Path, size: int = 10, age: float | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    if age is not None:
        os.utime(path, (age, age))
    return path


def test_an_empty_directory(tmp_path: Path) -> None:
    assert measure(directory(tmp_path)) == LogUsage(0, 0, 0, None, 0)


def test_own_files_only_unless_recursive(tmp_path: Path) -> None:
    write(tmp_path / "a.log", 5000)
    write(tmp_path / "below" / "b.log", 7000)
    write(tmp_path / "below" / "deeper" / "c.log", 1)
    flat, deep = measure(directory(tmp_path)), measure(directory(tmp_path, recursive=True))
    assert (flat.files, flat.apparent_bytes) == (1, 5000)
    assert (deep.files, deep.apparent_bytes) == (3, 12001)
    assert deep.allocated_bytes == sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*.log"))


def test_the_whole_agrees_with_du(tmp_path: Path) -> None:
    for number in range(200):
        write(tmp_path / f"{number % 7}" / f"{number % 3}" / f"{number}.log", number * 37)
    os.link(tmp_path / "1" / "1" / "1.log", tmp_path / "linked.log")
    command = [require_program("du", "coreutils"), "-s", "-B1", str(tmp_path)]
    total = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[0])
    directories = sum(path.lstat().st_blocks * 512 for path in (tmp_path, *tmp_path.rglob("*")) if path.is_dir())
    assert measure(directory(tmp_path, recursive=True)).allocated_bytes == total - directories


def test_a_hard_link_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a.log", 5000)
    os.link(tmp_path / "a.log", tmp_path / "b.log")
    usage = measure(directory(tmp_path))
    assert (usage.files, usage.apparent_bytes) == (1, 5000)


def test_a_sparse_file_takes_less_than_its_size(tmp_path: Path) -> None:
    with (tmp_path / "a.log").open("wb") as file:
        file.truncate(10 * 1024**2)
    usage = measure(directory(tmp_path))
    assert usage.apparent_bytes == 10 * 1024**2
    assert usage.allocated_bytes < 1024**2


def test_symlinks_lead_nowhere(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "big.log", 9000).parent
    root = tmp_path / "root"
    write(root / "a.log", 1)
    (root / "file.log").symlink_to(outside / "big.log")
    (root / "below").symlink_to(outside)
    (root / "loop").symlink_to(root)
    usage = measure(directory(root, recursive=True))
    assert (usage.files, usage.apparent_bytes) == (1, 1)


def test_the_configured_path_may_be_a_symlink(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.log", 3)
    (tmp_path / "logs").symlink_to("real")
    assert measure(directory(tmp_path / "logs")).apparent_bytes == 3


def test_what_is_no_regular_file_does_not_count(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    assert measure(directory(tmp_path)).files == 0


def test_names_need_not_be_text(tmp_path: Path) -> None:
    for name in (b"\xff\xfe.log", b"new\nline.log", b"sp ace.log", "ünï.log".encode()):
        os.close(os.open(os.path.join(os.fsencode(tmp_path), name), os.O_CREAT | os.O_WRONLY))
    os.mkdir(os.path.join(os.fsencode(tmp_path), b"\xff"))
    write(tmp_path / os.fsdecode(b"\xff") / "a.log", 2)
    usage = measure(directory(tmp_path, recursive=True))
    assert (usage.files, usage.apparent_bytes) == (5, 2)


def test_the_oldest_unrotated_log_is_not_empty_and_matches(tmp_path: Path) -> None:
    write(tmp_path / "new.log", age=5000)
    write(tmp_path / "old.log", age=4000)
    write(tmp_path / "empty.log", size=0, age=10)
    write(tmp_path / "rotated.log.1.gz", age=20)
    write(tmp_path / "kept.log", age=30)
    assert measure(directory(tmp_path, exclude=["kept*"])).oldest_unrotated == 4000
    assert measure(directory(tmp_path, include=["*.txt"])).oldest_unrotated is None


@pytest.mark.parametrize(
    ("include", "exclude", "name", "matches"),
    [
        (["*.log"], [], "a.log", True),
        (["*.log"], [], "a.log.1", False),
        (["*.log"], [], "A.LOG", False),
        (["*.log"], ["debug*"], "debug.log", False),
        (["a.log", "b?log"], [], "b.log", True),
        (["[ab]*"], ["b*"], "abc", True),
        ([], [], "a.log", False),
        (["*"], [], "two\nlines", True),
        (["*.log"], [], os.fsdecode(b"\xff.log"), True),
    ],
)
def test_name_filter_is_shell_patterns(include: list[str], exclude: list[str], name: str, matches: bool) -> None:
    made = name_filter(directory(Path("/logs"), include=include, exclude=exclude))
    assert made(name) is matches
    assert matches == (
        any(fnmatch.fnmatchcase(name, pattern) for pattern in include)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude)
    )


def test_it_stops_when_told_to(tmp_path: Path) -> None:
    write(tmp_path / "a.log")
    stop = threading.Event()
    assert measure(directory(tmp_path), stop).files == 1
    stop.set()
    with pytest.raises(WalkStopped):
        measure(directory(tmp_path), stop)


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        measure(directory(tmp_path / "nowhere"))
    with pytest.raises(NotADirectoryError):
        measure(directory(write(tmp_path / "file.log")))


def test_bottomless_directories_are_an_error(tmp_path: Path) -> None:
    current = tmp_path
    for _ in range(MAX_DEPTH + 1):
        current = current / "d"
    current.mkdir(parents=True)
    with pytest.raises(OSError, match="nested deeper"):
        measure(directory(tmp_path, recursive=True))


def test_no_file_stays_open(tmp_path: Path) -> None:
    write(tmp_path / "below" / "a.log")
    before = len(os.listdir("/proc/self/fd"))
    measure(directory(tmp_path, recursive=True))
    assert len(os.listdir("/proc/self/fd")) == before
