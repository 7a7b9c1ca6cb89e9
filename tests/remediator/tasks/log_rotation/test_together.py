"""Several programs of ours in one directory at once, by whatever path; one that is killed hurts no other."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediator.files.compress import Stopped
from remediator.files.folder import Changed, Folder, open_root
from remediator.tasks.log_rotation import lock
from tests.helpers import long_form, rounds, wait_until
from tests.remediator.tasks.log_rotation.logdir import (
    KIB,
    Writer,
    bound,
    lines,
    names,
    overlaid,
    require_collapse,
    rotated,
    run,
    task,
    write_log,
)

BLOCK = 4 * KIB


class Rotator:
    """A process of its own that rotates a directory without end, in a ``with`` block."""

    def __init__(self, path: Path, method: str = "copytruncate", *, size: int = KIB, recursive: bool = False) -> None:
        self._arguments = [str(path), str(size), method, str(int(recursive))]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Rotator":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.remediator.tasks.log_rotation.log_rotator", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "begins\n"
        return self

    def stop(self) -> tuple[int, str]:
        """How many rotations it did, and what it complained of."""
        assert self._process is not None
        output, errors = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, errors
        return int(output), errors

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=60)

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


@contextlib.contextmanager
def two_ways(root: Path, way: str) -> Iterator[tuple[tuple[Path, bool], tuple[Path, bool]]]:
    """Two targets, (path, recursive), that lead to ``root/logs/nginx``."""
    logs = root / "logs"
    nginx = logs / "nginx"
    nginx.mkdir(parents=True)
    if way == "the same path":
        yield (nginx, False), (nginx, False)
    elif way == "one inside the other":
        yield (logs, True), (nginx, False)
    elif way == "a linked parent":
        (root / "link").symlink_to("logs")
        yield (root / "link" / "nginx", False), (nginx, False)
    elif way == "an overlay":
        (root / "over").mkdir()
        with overlaid(logs, root / "over"):
            yield (root / "over" / "nginx", False), (nginx, False)
    else:
        (root / "bound").mkdir()
        with bound(nginx, root / "bound"):
            yield (root / "bound", False), (nginx, False)


WAYS = ("the same path", "one inside the other", "a linked parent", "a bind mount", "an overlay")


BOTH_CUT, ONE_RENAMES = ("copytruncate", "copytruncate"), ("copytruncate", "rename")


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize(
    ("way", "methods"),
    [(way, BOTH_CUT) for way in (WAYS if long_form() else ("a linked parent",))]
    + [(way, ONE_RENAMES) for way in (WAYS if long_form() else ("an overlay",))],
)
async def test_two_programs_lose_no_line_of_a_writer_that_never_stops(
    tmp_path: Path, way: str, methods: tuple[str, str]
) -> None:
    require_collapse(tmp_path)
    with two_ways(tmp_path, way) as ((one, deep), (other, _)):
        log = tmp_path / "logs" / "nginx" / "app.log"
        with (
            Writer(log, reopen=True, pause=0.0001) as writer,
            Rotator(one, methods[0], size=8 * KIB, recursive=deep) as first,
            Rotator(other, methods[1], size=8 * KIB) as second,
        ):
            rotations = rounds("BESIDE_ROTATIONS", 5, 8)
            await wait_until(lambda: len(rotated(log.parent)) >= rotations, timeout=60, what="some rotations")
            done, complaints = zip(first.stop(), second.stop(), strict=True)
            count = writer.stop()
        found = lines(tmp_path / "logs")
        assert sum(done) >= rotations
        assert complaints == ("", "")
        if "rename" in methods:
            await run(task(log.parent, rotation={"keep_count": 99_999}))  # what the writer held was left uncompressed
            found = lines(tmp_path / "logs")
        assert found == {b"%09d written by one that never stops" % n: 1 for n in range(count)}


@pytest.mark.parametrize("way", WAYS)
async def test_two_runs_of_one_plan_each_copy_a_quiet_log_once(tmp_path: Path, way: str) -> None:
    """Planned by both before either acts: the input on which lines were lost without a writer."""
    with two_ways(tmp_path, way) as ((one, deep), (other, _)):
        log = tmp_path / "logs" / "nginx" / "app.log"
        write_log(log, 8 * 1024 * KIB)
        expected = lines(tmp_path / "logs")
        runs = [
            task(one, recursive=deep, rotation={"method": "copytruncate"}),
            task(other, rotation={"method": "copytruncate"}),
        ]
        plans = [(await each.plan("logs")).actions for each in runs]
        effects = await asyncio.gather(
            *(each.apply("logs", action) for each, actions in zip(runs, plans, strict=True) for action in actions)
        )
        assert sorted(effect.state for effect in effects) in (["done", "done"], ["done", "skipped"])
        assert len(rotated(log.parent)) == 1
        assert lines(tmp_path / "logs") == expected


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("method", ["copytruncate", *(("rename",) if long_form() else ())])
async def test_a_program_that_is_killed_beside_another_loses_nothing(tmp_path: Path, method: str) -> None:
    """Killed over and over, at any moment of its work, while a second one goes on."""
    require_collapse(tmp_path)
    log = tmp_path / "app.log"
    kills = rounds("BESIDE_KILLS", 3, 12)
    with Writer(log, reopen=True, pause=0.0001) as writer, Rotator(tmp_path, method, size=8 * KIB) as second:
        for number in range(kills):
            with Rotator(tmp_path, method, size=8 * KIB) as first:
                before = len(names(tmp_path))
                await wait_until(lambda before=before: len(names(tmp_path)) != before, what="work to begin")
                await asyncio.sleep(number / 1000)  # another moment of the work each time; nothing is waited for
                first.kill()
        _, complaints = second.stop()
        count = writer.stop()
    assert complaints == ""
    for _ in range(2):
        await run(task(tmp_path, rotation={"max_file_bytes": KIB, "keep_count": 99_999}))
    written = {b"%09d written by one that never stops" % n: 1 for n in range(count)}
    found = lines(tmp_path)
    assert Counter(written) - found == Counter()
    # Each kill may leave the lines of one block in two files: see rotation/cut.py.
    assert (found - Counter(written)).total() * 38 <= kills * BLOCK
    assert not [name for name in names(tmp_path) if name.endswith(".upkeeper-tmp")]


async def test_a_run_waits_for_another_and_then_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_log(tmp_path / "app.log")
    rotation = task(tmp_path)
    (action, _) = (await rotation.plan("logs")).actions
    stop = threading.Event()
    with open_root(str(tmp_path)) as root:
        with lock.alone_in(root, stop):
            monkeypatch.setattr(lock, "PATIENCE", 0.1)
            effect = await rotation.apply("logs", action)
            assert (effect.state, effect.detail) == (
                "skipped",
                "left alone: another run was at work in this directory for 100ms",
            )
            assert (tmp_path / "app.log").read_bytes() == before
            monkeypatch.setattr(lock, "PATIENCE", 60.0)
            waiting = asyncio.create_task(rotation.apply("logs", action))
            await asyncio.sleep(0)
            assert not waiting.done()
        assert (await waiting).state == "done"


async def test_a_run_that_waits_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    with open_root(str(tmp_path)) as root, open_root(str(tmp_path)) as again, lock.alone_in(root, stop):
        stop.set()
        with pytest.raises(Stopped), lock.alone_in(again, stop):
            pass


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    stop = threading.Event()
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        folder = open_root(str(tmp_path))
        with lock.alone_in(folder, stop):
            os.write(told, b"x")
            signal.pause()
    assert os.read(ready, 1) == b"x"
    with open_root(str(tmp_path)) as root:
        with pytest.raises(Changed, match="another run was at work"), lock.alone_in(root, stop, 0.05):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with lock.alone_in(root, stop, 0.0):
            assert isinstance(root, Folder)
    for fd in (ready, told):
        os.close(fd)
