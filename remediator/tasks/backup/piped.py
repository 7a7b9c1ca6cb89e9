"""A program whose output is read as it comes, and which ends with whoever reads it."""

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Self

from remediator.model.task import TaskError
from remediator.tasks.backup.sink import Stopped

_PASSED_ON = ("PATH", "HOME", "USER", "TMPDIR")
_MAX_LINES = 200
_LOOK_SECONDS = 0.5
_PIPE_BYTES = 1024 * 1024


class Piped:
    """A running program in a process group of its own; what is left of that when the block ends is killed.

    environment: what it gets beside the few variables that are passed on. idle: seconds without output
    after which it is ended, and reading raises TaskError.
    Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        stop: threading.Event,
        *,
        environment: Mapping[str, str] | None = None,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        idle: float | None = None,
    ) -> None:
        self._idle = idle
        self._read_at = time.monotonic()
        self._hung = False
        own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._stop = stop
        self._name = command[0]
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env={**own, "LC_ALL": "C", "LANGUAGE": "C", **(environment or {})},
            umask=0o077,
            bufsize=0,
        )
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):  # fewer, larger reads; not on every system, nor as much as wished for
            fcntl.fcntl(self.process.stdout, getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE_BYTES)
        self._ended = threading.Event()
        self._listener = threading.Thread(target=self._listen, name=f"stderr of {command[0]}", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name=f"watch {command[0]}", daemon=True)
        self._listener.start()
        self._watcher.start()

    def read(self, size: int) -> bytes:
        """The next bytes of its output, at most so many; none at its end. Raises Stopped."""
        assert self.process.stdout is not None
        data = self.process.stdout.read(size) or b""
        self._read_at = time.monotonic()
        self._require_alive()
        if self._stop.is_set():
            raise Stopped
        return data

    def end(self) -> tuple[int, list[str]]:
        """Waits for its end: its exit status and the last lines of its standard error. Raises Stopped."""
        status = self.process.wait()
        self._listener.join()
        self._require_alive()
        if self._stop.is_set():
            raise Stopped
        return status, self._lines

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._ended.set()
        self.process.wait()
        self._watcher.join()
        self._listener.join(5.0)
        for stream in (self.process.stdout, self.process.stderr, self.process.stdin):
            if stream is not None:
                stream.close()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._hung = self._idle is not None and time.monotonic() - self._read_at > self._idle
            if self._stop.is_set() or self._hung:
                self.kill()
                return

    def _require_alive(self) -> None:
        if self._hung:
            raise TaskError(f"{self._name} wrote nothing for {self._idle:g} s and was ended")

    @property
    def said(self) -> list[str]:
        """The last lines of its standard error until now."""
        return list(self._lines)

    @property
    def hung(self) -> bool:
        """Whether it was ended because it wrote nothing."""
        return self._hung

    def kill(self) -> None:
        """Ends it at once, with all that it has started."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with contextlib.suppress(OSError, ValueError), open(os.dup(self.process.stderr.fileno()), "rb") as lines:
            for line in lines:
                self._lines.append(line.decode("utf-8", "replace").rstrip())
                del self._lines[:-_MAX_LINES]
