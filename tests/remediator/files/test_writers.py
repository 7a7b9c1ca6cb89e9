"""Who has a file open for writing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remediator.files.writers import FREE, WRITTEN, name_writers, use_of
from tests.helpers import wait_until
from tests.remediator.tasks.log_rotation.logdir import Writer


def use(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return use_of(fd).state
    finally:
        os.close(fd)


def key(path: Path) -> tuple[int, int]:
    return path.stat().st_dev, path.stat().st_ino


def test_readers_do_not_count_and_writers_do(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    assert use(path) == "free"
    with path.open("rb"):
        assert use(path) == "free"
    for mode in ("ab", "r+b"):
        with path.open(mode):
            assert use(path) == "written"
    assert use(path) == "free"


def test_asking_leaves_no_lease_behind(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    try:
        assert use_of(fd) == FREE
        # With a lease in the way this would fail with EWOULDBLOCK.
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    finally:
        os.close(fd)


async def test_a_writer_is_named_with_how_it_writes(tmp_path: Path) -> None:
    for append in (True, False):
        path = tmp_path / f"{append}.log"
        with Writer(path, append=append) as writer:
            await wait_until(path.exists)
            found, _ = name_writers({key(path), (0, 0)})
            assert found.keys() == {key(path)}
            assert found[key(path)].appends is append
            assert f"(pid {writer.pid})" in found[key(path)].by


@pytest.mark.parametrize("mode", ["ab", "rb"])
def test_proc_tells_the_same_as_the_kernel(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a"
    path.touch()
    program = f"import sys; file = open({str(path)!r}, {mode!r}); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found, _ = name_writers({key(path)})
        assert use(path) == found.get(key(path), FREE).state == ("written" if mode == "ab" else "free")
        process.communicate()
    assert WRITTEN.appends
