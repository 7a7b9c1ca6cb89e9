"""Programs of the system, run politely and bounded: in time by the caller, in output here."""

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.base.errors import UpkeeperError
from exporter.base.threads import KeyedThreads

MAX_OUTPUT_BYTES = 8 * 1024 * 1024
"""Of standard output; a list of ten thousand packages takes less than 2 MiB."""

_CREDENTIALS = re.compile(r"://[^\s/]*@")

_MAX_ERRORS_BYTES = 64 * 1024

_threads = KeyedThreads()

_PASSED_ON = ("PATH", "HOME", "USER", "TMPDIR", "APT_CONFIG")
"""The environment that programs get. The rest of ours may hold secrets, which are none of their business."""


class CommandFailed(UpkeeperError):
    """A program answered in a way that is of no use. The message says how, in one line."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind when it ended."""

    status: int
    """Its exit status; the negative signal number if a signal ended it."""
    output: str
    errors: str
    """Its standard error, the last whole lines of it if that was long."""

    @property
    def complaint(self) -> str:
        """Its exit status and the last line of its standard error, without the credentials of URLs."""
        lines = self.errors.strip().splitlines()
        return f"exit status {self.status}" + (f": {_CREDENTIALS.sub('://', lines[-1])[:200]}" if lines else "")


async def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    passed_on: Sequence[str] = (),
    cwd: str = "/",
    polite: bool = True,
    output: bool = True,
) -> Finished:
    """Runs a program to its end, with messages in English and nothing to read; if polite, at the lowest priority.

    environment: variables that it gets in addition to the few of ours. passed_on: names of further ones of ours.
    output: whether what it writes is kept; else it is thrown away unread.

    When the caller is cancelled, as by ``asyncio.timeout``, the program and all that it started are killed.
    Raises CommandFailed when it writes too much, OSError and ValueError when it cannot be started.
    """
    program = Program()
    whole = [*(_politely() if polite else ()), *command]
    try:
        return await _threads.run(
            program, lambda: program.run(whole, environment or {}, passed_on=passed_on, cwd=cwd, output=output)
        )
    finally:
        program.kill()


class Program:
    """One run of a program, by a thread: asyncio's own subprocesses can hang when cancelled while they start.

    It has a process group of its own. What is left of that when the program has ended is killed.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = threading.Event()
        self._reaping = threading.Lock()
        self._gone = False

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        passed_on: Sequence[str] = (),
        cwd: str = "/",
        output: bool = True,
        max_output: int = MAX_OUTPUT_BYTES,
    ) -> Finished:
        """As the function ``run``, but blocks. max_output: bytes of standard output that are too much."""
        if self._killed.is_set():
            raise CommandFailed("given up before it was started")
        kept = subprocess.PIPE if output else subprocess.DEVNULL
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=kept,
            stderr=kept,
            start_new_session=True,
            cwd=cwd,
            env=_environment(environment, passed_on),
            bufsize=0,
        )
        self._process = process
        if self._killed.is_set():  # while it was being started
            self.kill()
        said, errors = b"", b""
        try:
            if output:
                said, errors = self._read(process, max_output)
        except BaseException:
            self.kill()
            raise
        finally:
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            self._wait(process)
        return Finished(process.returncode, said.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))

    def kill(self) -> None:
        """Ends it, with all that it started and that is still in its process group. Does not block.

        What is not started yet never will be.
        """
        self._killed.set()
        with self._reaping:  # its number must not be given to another process meanwhile
            if self._process is not None and not self._gone:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, of a zombie
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self, process: "subprocess.Popen[bytes]", max_output: int) -> tuple[bytes, bytes]:
        """What it writes, until nobody can write any more, or it was killed."""
        output, errors, cut = bytearray(), bytearray(), False
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, output)  # type: ignore[arg-type]
            selector.register(process.stderr, selectors.EVENT_READ, errors)  # type: ignore[arg-type]
            while selector.get_map() and not self._killed.is_set():
                for key, _ in selector.select(timeout=1):
                    data = os.read(key.fd, 65536)
                    key.data.extend(data)
                    if not data:
                        selector.unregister(key.fileobj)
                if len(errors) > _MAX_ERRORS_BYTES:
                    del errors[:-_MAX_ERRORS_BYTES]
                    cut = True
                if len(output) > max_output:
                    raise CommandFailed(f"wrote more than {max_output} bytes")
        if cut:  # half a line might begin within a secret, which nobody would then know for one
            del errors[: errors.find(b"\n") + 1 or None]
        return bytes(output), bytes(errors)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        if hasattr(os, "waitid"):  # not on every macOS
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.kill()  # what it has left behind, while its number is still its own
        else:
            process.wait()
        with self._reaping:
            self._gone = True
            process.wait()


def _politely() -> Sequence[str]:
    """Programs that run another one at the lowest priority for the CPU and, on Linux, for the disk."""
    prefixes = (("nice", "-n", "19"), ("ionice", "-c", "3"))
    return [part for prefix in prefixes if shutil.which(prefix[0]) for part in prefix]


def _environment(more: Mapping[str, str], passed_on: Sequence[str]) -> Mapping[str, str]:
    own = {name: os.environ[name] for name in (*_PASSED_ON, *passed_on) if name in os.environ}
    return {**own, "LC_ALL": "C", "LANGUAGE": "C", **more}
