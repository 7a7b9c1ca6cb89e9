"""kill -9 before each system call that changes a file: no line is lost, and a second try completes the work.

An action is done in a forked process that counts these calls and kills itself before a given one; then the next
fork gets one further, until one is not killed any more.
"""

import asyncio
import gzip
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from remediator.files import linux
from remediator.model.task import Action
from remediator.tasks.log_rotation.act import act
from remediator.tasks.log_rotation.task import LogRotation
from tests.helpers import long_form
from tests.remediator.tasks.log_rotation.logdir import KIB, lines, mounted, names, rotated, run, task, write_log

pytestmark = pytest.mark.slow

NOW = 1_760_000_000.0
MOST = 300
"""More such calls than any action makes."""

LATER = b"written after the kill\n"

_CALLS = {
    *("open", "close", "pwrite", "copy_file_range", "ftruncate", "fsync"),
    *("link", "unlink", "rename", "fchown", "fchmod", "setxattr", "utime"),
}
"""Of the module ``os``: those that can change a file, and two more. Between them nothing changes."""

_OWN_CALLS = {linux.collapse_head.__code__, linux.exchange.__code__, linux.rename_to_free.__code__}
"""Through ctypes, so the profiler sees them only as these functions."""


class _Killer:
    """A profile function that kills this process before its n-th such call."""

    def __init__(self, before: int) -> None:
        self._left = before
        self._lock = threading.Lock()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        python = event == "c_call" and getattr(argument, "__name__", None) in _CALLS
        own = event in ("call", "return") and frame.f_code in _OWN_CALLS
        if not python and not own:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def killed(before: int, work: Callable[[], object]) -> bool:
    """Whether a forked process that does the work was killed before its n-th such call, not done earlier."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            killer = _Killer(before)
            threading.setprofile(killer)
            sys.setprofile(killer)
            work()
            sys.setprofile(None)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


class Scene:
    """A log directory, and the one action that is interrupted. The file to compress takes several gzip members."""

    def __init__(self, directory: Path, kind: str, **rotation: Any) -> None:
        self.directory = directory
        self.kind = kind
        self.task: LogRotation = task(directory, at=NOW, rotation={"max_file_bytes": KIB, **rotation})

    def set_up(self) -> Action:
        for path in self.directory.iterdir():
            if path.is_file():
                path.unlink()
        (self.directory / "app.log").touch()
        size = 1100 * KIB if self.kind == "compress" else 20 * KIB
        write_log(self.directory / ("app.log-20251001-000000" if self.kind == "compress" else "app.log"), size)
        (action,) = [a for a in asyncio.run(self.task.plan("logs")).actions if a.kind == self.kind]
        return action

    def work(self, action: Action) -> object:
        configured = self.task._directories["logs"]
        return act(configured, action, threading.Event(), lambda: 0)


SCENES: dict[str, dict[str, Any]] = {
    "rename": {"kind": "rotate", "method": "rename"},
    "copytruncate": {"kind": "rotate", "method": "copytruncate"},
    "copytruncate plain": {"kind": "rotate", "method": "copytruncate", "compress": False},
    "compress": {"kind": "compress"},
}


def check_again(scene: Scene, action: Action, expected: "Counter[bytes]") -> None:
    """The same action again completes the work."""
    asyncio.run(scene.task.apply("logs", action))
    left = names(scene.directory)
    assert not [name for name in left if name.endswith(".upkeeper-tmp")]
    assert len([name for name in left if name.startswith("app.log-")]) == 1
    assert_lines(scene.directory, expected)


def check_new_plan(scene: Scene, action: Action, expected: "Counter[bytes]") -> None:
    """A new plan finds what was left, and after at most another one nothing is left to do."""
    for _ in range(2):
        asyncio.run(run(scene.task))
        assert_lines(scene.directory, expected)
    assert asyncio.run(scene.task.plan("logs")).actions == []
    assert not [name for name in names(scene.directory) if name.endswith(".upkeeper-tmp")]


def assert_lines(directory: Path, expected: "Counter[bytes]") -> None:
    """No line is missing. Twice there is at most what fits into one block: see rotation/cut.py."""
    found = lines(directory)
    assert expected - found == Counter()
    twice = found - expected
    assert sum(len(line) * count for line, count in twice.items()) < os.statvfs(directory).f_frsize


@pytest.mark.parametrize("check", [check_again, check_new_plan])
@pytest.mark.parametrize("name", SCENES)
def test_a_kill_before_any_system_call_loses_nothing(
    tmp_path: Path, name: str, check: Callable[[Scene, Action, "Counter[bytes]"], None]
) -> None:
    assert _sweep(Scene(tmp_path, **SCENES[name]), check) >= 10


@pytest.mark.parametrize("check", [check_again, check_new_plan])
@pytest.mark.parametrize("compress", [True, False])
def test_nor_where_the_file_system_can_only_truncate(
    tmp_path: Path, compress: bool, check: Callable[[Scene, Action, "Counter[bytes]"], None]
) -> None:
    with mounted(tmp_path / "tmpfs", "tmpfs", 20 * 1024 * KIB) as directory:
        scene = Scene(directory, "rotate", method="copytruncate", compress=compress)
        assert _sweep(scene, check) >= 10


def _sweep(scene: Scene, check: Callable[[Scene, Action, "Counter[bytes]"], None], reopen: str = "r+b") -> int:
    """Interrupts the action everywhere. Returns in how many places. reopen: how the log's writer opens it then."""
    for place in range(1, MOST):
        action = scene.set_up()
        expected = lines(scene.directory)
        if not killed(place, lambda action=action: scene.work(action)):  # type: ignore[misc]
            return place - 1
        assert expected - lines(scene.directory) == Counter(), f"lost by a kill before system call {place}"
        if scene.kind == "rotate":
            # The log's name always leads to a file, and its writer goes on.
            with (scene.directory / "app.log").open(reopen) as log:
                log.seek(0, os.SEEK_END)
                log.write(LATER)
            expected[LATER.strip()] += 1
        check(scene, action, expected)
    raise AssertionError(f"the action makes more than {MOST} system calls")


@pytest.mark.torture
@pytest.mark.parametrize("name", SCENES if long_form() else ["copytruncate"])
def test_nor_where_there_are_no_hard_links(tmp_path: Path, name: str) -> None:
    """On exFAT the copy of a rotated file has its content alone to prove it: a new plan may make a second one."""
    with mounted(tmp_path / "disk", "exfat", 20 * 1024 * KIB) as directory:
        scene = Scene(directory, **SCENES[name])
        assert _sweep(scene, check_again, "ab") >= 10
        assert _sweep(scene, check_new_plan if "copy" in name else check_new_plan_without_links, "ab") >= 10


def check_new_plan_without_links(scene: Scene, action: Action, expected: "Counter[bytes]") -> None:
    for _ in range(3):
        asyncio.run(run(scene.task))
        assert expected - lines(scene.directory) == Counter()
    assert not [name for name in names(scene.directory) if name.endswith(".upkeeper-tmp")]


@pytest.mark.parametrize("check", ["again", "new plan"])
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("when", ["after the kill", "after the plan"])
def test_another_programs_copy_is_never_taken_for_the_one_that_was_begun(
    tmp_path: Path, when: str, compress: bool, check: str
) -> None:
    """Identical lines, and by name, content and time the very copy that would be made: only who made it differs."""
    with mounted(tmp_path / "disk", "exfat", 20 * 1024 * KIB) as directory:
        log, theirs = directory / "app.log", directory / f"app.log-20251009-085320{'.gz' if compress else ''}"
        lines_there = 2000
        data = b"one line\n" * lines_there

        def put() -> tuple[int, bytes]:
            theirs.write_bytes(gzip.compress(data) if compress else data)
            os.utime(theirs, (NOW, NOW))
            return theirs.stat().st_ino, theirs.read_bytes()

        scene = Scene(directory, "rotate", method="copytruncate", compress=compress, max_file_age=None)
        for place in range(1, MOST):
            action = scene.set_up()
            log.write_bytes(data)
            os.utime(log, (NOW, NOW))
            (action,) = [a for a in asyncio.run(scene.task.plan("logs")).actions if a.kind == "rotate"]
            facts = put() if when == "after the plan" else None
            was_killed = killed(place, lambda action=action: scene.work(action))  # type: ignore[misc]
            copies = [path for path in rotated(directory) if path.stat().st_size]
            if when == "after the kill" and theirs not in copies:
                theirs.unlink(missing_ok=True)
                facts = put()
            with log.open("ab") as writer:
                writer.write(data[:9000])  # what was cut may be written alike again
            expected = lines(directory)
            if check == "again":
                asyncio.run(scene.task.apply("logs", action))
            else:
                for _ in range(2):
                    asyncio.run(run(scene.task))
            assert lines(directory)[b"one line"] >= (2 if facts else 1) * lines_there + 1000
            assert lines(directory) - expected == Counter()
            if facts is not None:
                assert (theirs.stat().st_ino, theirs.read_bytes()) == facts
            assert not [name for name in names(directory) if name.endswith(".upkeeper-tmp")]
            if not was_killed:
                return
        raise AssertionError(f"the action makes more than {MOST} system calls")
