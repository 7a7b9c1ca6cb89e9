"""Programs of the system, run politely and bounded: in time by the caller, in output here."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_OUTPUT_BYTES = 8 * 1024 * 1024
"""Of standard output; a list of ten thousand packages takes less than 2 MiB."""

_CREDENTIALS = re.compile(r"://[^\s/]*@")

_REAP_SECONDS = 2.0

_PASSED_ON = ("PATH", "HOME", "USER", "TMPDIR", "APT_CONFIG")
"""The environment that programs get. The rest of ours may hold secrets, which are none of their business."""


class CommandFailed(Exception):
    """A program answered in a way that is of no use. The message says how, in one line."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind when it ended."""

    status: int
    """Its exit status; the negative signal number if a signal ended it."""
    output: str
    errors: str
    """Its standard error, the end of it if that was long."""

    @property
    def complaint(self) -> str:
        """Its exit status and the last line of its standard error, without the credentials of URLs."""
        lines = self.errors.strip().splitlines()
        return f"exit status {self.status}" + (f": {_CREDENTIALS.sub('://', lines[-1])[:200]}" if lines else "")


async def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None, polite: bool = True) -> Finished:
    """Runs a program to its end, with messages in English and nothing to read; if polite, at the lowest priority.

    When the caller is cancelled, as by ``asyncio.timeout``, the program and all that it started are killed.
    Raises CommandFailed when it writes too much, OSError when it cannot be started.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        _Output,
        *(_politely() if polite else ()),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env=_environment(environment or {}),
    )
    try:
        await protocol.ended
    finally:
        if not protocol.gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, of a zombie
                os.killpg(transport.get_pid(), signal.SIGKILL)
        transport.close()
        # Until the event loop knows that it is dead. One that is stuck in the kernel dies later.
        await asyncio.wait([protocol.exited], timeout=_REAP_SECONDS)
    status = transport.get_returncode()
    return Finished(-1 if status is None else status, _text(protocol.output[1]), _text(protocol.output[2]))


def _politely() -> Sequence[str]:
    """Programs that run another one at the lowest priority for the CPU and, on Linux, for the disk."""
    prefixes = (("nice", "-n", "19"), ("ionice", "-c", "3"))
    return [part for prefix in prefixes if shutil.which(prefix[0]) for part in prefix]


def _environment(more: Mapping[str, str]) -> Mapping[str, str]:
    own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**own, "LC_ALL": "C", "LANGUAGE": "C", **more}


def _text(output: bytearray) -> str:
    return output.decode("utf-8", "replace")


class _Output(asyncio.SubprocessProtocol):
    """Collects what a program writes. ``ended`` is done when it has ended and nobody can write any more."""

    def __init__(self) -> None:
        self.output = {1: bytearray(), 2: bytearray()}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone = False
        """Nothing is left to kill: the program has ended, and whatever it started has closed its output."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        kept = self.output[fd]
        kept += data
        if fd == 2:
            del kept[: -64 * 1024]
        elif len(kept) > MAX_OUTPUT_BYTES and not self.ended.done():
            del kept[:]
            self.ended.set_exception(CommandFailed(f"wrote more than {MAX_OUTPUT_BYTES} bytes"))

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if not self.ended.done():
            self.ended.set_result(None)
