"""Starts processes, keeps them running, and ends them in order. One thread, one turn at a time."""

from __future__ import annotations

import _thread
import json
import os
import select
import signal
import time

from upkeeper.up.supervise.child import Child, Lines, spawn
from upkeeper.up.supervise.probe import answers
from upkeeper.up.supervise.say import echo, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

LOOK = 0.05
"""Seconds between two looks at whether a process is ready."""
PATIENCE = 15.0
"""Seconds after which a start says what it waits for: Prometheus reads its whole write-ahead log first."""
SETTLED = 60.0
"""Seconds after which a process that stayed up has its earlier ends forgiven."""
WATCH = 5.0
"""Seconds between two looks at the config file: network file systems send no events."""


class StartError(Exception):
    """A process ended before it was ready. ``tail`` is the end of its log, when it has one of its own."""

    def __init__(self, child: Child) -> None:
        assert child.status is not None
        super().__init__(f"{child.name} {ending(child.status)} before it was ready")
        self.tail = child.tail


def backoff(ends: int) -> float:
    """Seconds to wait before a process that has ended ``ends`` times (from 1 on) is started again: 1, 2, 4 ... 30."""
    return min(30.0, 2.0 ** (ends - 1))


def ending(status: int) -> str:
    """How a process ended, for people."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


class Supervisor:
    """Runs the processes of a plan (see program.py): started in its order, ended in the opposite one."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        show = echo if plan["verbose"] else None
        self._services = {spec["name"]: Child(spec, show) for spec in plan["services"]["of"]}
        self._programs = {spec["name"]: Child(spec, show) for spec in plan["programs"]}
        self._children = {**self._services, **self._programs}
        self._starters: dict[int, list[str]] = {}
        """Which services each starter that still runs is to start."""
        self._helpers: dict[int, Callable[[int], None]] = {}
        """What follows the end of each helper."""
        self._unclaimed: dict[int, int] = {}
        """Ends of processes that no starter has named yet."""
        self._poll = select.poll()
        self._inputs: dict[int, Lines] = {}
        self._due: list[tuple[float, str]] = []
        """When which process is started again."""
        self._ends: dict[str, tuple[int, float]] = {}
        """Of each process that ended: how often in quick succession, and when it was last started."""
        self._stop = self._hurry = self._reload = self._changed = False
        self._had_terminal = _has_terminal()
        self._stopping = False
        self._listen()

    def start(self) -> bool:
        """Starts all at once and waits until each is ready, however long that takes. False when told to stop first.

        Raises StartError when one ended first, OSError when one cannot be run; the others run on: call ``stop``.
        """
        self._start_services(list(self._services))
        for child in self._programs.values():
            self._start_program(child)
        waiting, began, noticed = list(self._children.values()), time.monotonic(), False
        while waiting and not self._stop:
            self._turn(LOOK)
            for child in waiting:
                if child.status is not None:
                    raise StartError(child)
            waiting = [child for child in waiting if child.pid is None or not answers(child.ready)]
            if waiting and not noticed and time.monotonic() - began > PATIENCE:
                noticed = True
                say("info", "still waiting", process=", ".join(child.name for child in waiting))
        return not self._stop

    def keep(self) -> None:
        """Speaks, and keeps everything running until it is told to stop."""
        now = time.monotonic()
        self._ends = dict.fromkeys(self._children, (0, now))
        if self._plan["announce"] is not None:
            self._help(self._plan["announce"], self._announced)
        if self._plan["config"] is not None:
            _thread.start_new_thread(self._watch, (self._plan["config"],))
        while not self._stop:
            for child in self._children.values():
                if child.status is not None:
                    self._start_later(child)
            self._start_due()
            if self._changed or self._reload:
                self._changed = self._reload = False
                self._take_over_config()
            waits = [when for when, _ in self._due]
            self._turn(max(0.0, min(waits) - time.monotonic()) if waits else None)

    def stop(self) -> bool:
        """Ends all, the last first. Returns whether each ended by itself when it was told to."""
        self._stopping = True
        for pid in self._helpers:
            os.kill(pid, signal.SIGKILL)
        while self._helpers:
            self._turn(LOOK)
        clean = True
        while self._starters and not self._hurry:
            self._turn(LOOK)  # a service that is about to start has to be known to be ended
        for child in reversed(self._children.values()):
            if child.pid is None:
                continue
            child.send(signal.SIGTERM)
            deadline = time.monotonic() + child.stop_within
            while child.pid is not None and not self._hurry and (left := deadline - time.monotonic()) > 0:
                self._turn(left)
            if child.pid is not None:
                clean = False
                say("warning", "process had to be killed", process=child.name, waited_seconds=child.stop_within)
                child.kill()
                while child.pid is not None:
                    self._turn(1.0)
        return clean

    # What is started

    def _start_program(self, child: Child) -> None:
        lines = child.start()
        if lines is not None:
            self._hear(lines)

    def _start_services(self, names: list[str]) -> None:
        """By a process that imports what they share, forks them, tells their ids on descriptor 3, and ends."""
        if not names:
            return
        services = self._plan["services"]
        wanted = {name: self._services[name].argv for name in names}
        for name in names:
            self._services[name].status = None
        lines = Lines(self._started)
        argv = [*services["argv"], str(os.getpid()), json.dumps(wanted)]
        self._starters[spawn(argv, services["env"], lines, into=(3,))] = names
        self._hear(lines)

    def _started(self, line: bytes) -> None:
        name, _, pid = line.decode().partition(" ")
        child = self._services[name]
        child.adopt(int(pid))
        if int(pid) in self._unclaimed:
            child.ended(self._unclaimed.pop(int(pid)))

    def _start_later(self, child: Child) -> None:
        assert child.status is not None
        ends, since = self._ends[child.name]
        ends = 1 if time.monotonic() - since > SETTLED else ends + 1
        delay = backoff(ends)
        say("error", "process ended", process=child.name, how=ending(child.status), starting_again_in_seconds=delay)
        self._ends[child.name] = ends, time.monotonic() + delay
        self._due.append((time.monotonic() + delay, child.name))
        child.status = None

    def _start_due(self) -> None:
        now = time.monotonic()
        due, self._due = [name for when, name in self._due if when <= now], [one for one in self._due if one[0] > now]
        for name in due:
            try:
                if name in self._services:
                    self._start_services([name])
                else:
                    self._start_program(self._programs[name])
                say("info", "process started again", process=name)
            except OSError as error:
                # For example no memory left to fork. It may pass.
                say("error", "process cannot be started", process=name, error=str(error))
                self._due.append((now + backoff(5), name))

    # Helpers: what needs more than this program is made of

    def _help(self, argv: list[str], then: Callable[[int], None], lines: Lines | None = None) -> None:
        try:
            self._helpers[spawn(argv, {}, lines, into=(1,))] = then
        except OSError as error:
            say("error", "process cannot be started", process=argv[-1], error=str(error))
            return
        if lines is not None:
            self._hear(lines)

    def _announced(self, status: int) -> None:
        if status != 0:
            say("error", "everything is ready, but the overview could not be printed", how=ending(status))

    def _take_over_config(self) -> None:
        """Has what follows from the config written out again, and tells whoever reads it."""
        if self._plan["rewrite"] is None:
            return
        answer: list[bytes] = []

        def then(status: int) -> None:
            if status == 0:
                for name, changed in json.loads(b"\n".join(answer) or b"{}").items():
                    if name in self._programs:
                        say("info", "reloading", process=name, changed=changed)
                        self._programs[name].send(signal.SIGHUP)

        self._help(self._plan["rewrite"], then, Lines(answer.append))

    # Turns

    def _turn(self, seconds: float | None) -> None:
        """Waits for the next thing that happens, at most so long, and deals with it."""
        self._read(None if seconds is None else max(0.0, seconds) * 1000)
        self._reap()

    def _read(self, milliseconds: float | None) -> None:
        for fd, _ in self._poll.poll(milliseconds):
            if fd == self._wake:
                os.read(fd, 4096)
            elif not self._inputs[fd].read():
                self._poll.unregister(fd)
                del self._inputs[fd]
                os.close(fd)

    def _reap(self) -> None:
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._read(0)  # a process's last words come before its end
            self._ended(pid, os.waitstatus_to_exitcode(raw))

    def _ended(self, pid: int, status: int) -> None:
        for child in self._children.values():
            if child.pid == pid:
                child.ended(status)
                return
        if pid in self._starters:
            for name in self._starters.pop(pid):
                if self._services[name].pid is None and self._services[name].status is None:
                    self._services[name].status = status if status != 0 else 1
        elif pid in self._helpers:
            then = self._helpers.pop(pid)
            if not self._stopping:
                then(status)
        else:
            # Of a service whose starter has not been heard yet, or what a process of ours left behind.
            self._unclaimed = {pid: status} if len(self._unclaimed) > 100 else {**self._unclaimed, pid: status}

    def _hear(self, lines: Lines) -> None:
        self._inputs[lines.fd] = lines
        self._poll.register(lines.fd, select.POLLIN)

    # Signals and the config file

    def _listen(self) -> None:
        self._wake, write_end = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._wake_up = write_end
        self._poll.register(self._wake, select.POLLIN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._told)
        signal.signal(signal.SIGHUP, self._hung_up)

    def _told(self, *_: object) -> None:
        self._hurry = self._hurry or self._stop
        self._stop = True

    def _hung_up(self, *_: object) -> None:
        """SIGHUP is a wish for a reload, unless it comes because the terminal was closed."""
        if self._had_terminal and not _has_terminal():
            self._stop = True
        else:
            self._reload = True

    def _watch(self, path: str) -> None:
        """In a thread of its own: a file system that hangs holds up nothing else."""
        before = _state_of(path)
        while True:
            time.sleep(WATCH)
            now = _state_of(path)
            # A file that is not there may be about to be replaced.
            if now not in (None, before):
                before, self._changed = now, True
                os.write(self._wake_up, b"\0")


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError:
        return False
    return True
