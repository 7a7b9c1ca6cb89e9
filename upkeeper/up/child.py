"""One process that `upkeeper up` starts, watches and ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from upkeeper.up.childlog import ChildLog

_TETHER = Path(__file__).with_name("die_with_parent.py")
_CHUNK = 64 * 1024

Echo = Callable[[str, str], None] | None
"""Called with the name of a process and each line that goes to its log."""


@dataclass(frozen=True)
class ProcessSpec:
    """What to start, and how to tell that it is ready."""

    name: str
    argv: Sequence[str]
    """The program's absolute path and its arguments."""
    ready: str
    """URL that answers 200 when the process does its work."""
    log: Path | None = None
    """Where its output goes; None: it writes to ours."""
    stop_within: float = 15.0
    """Seconds it may take to end after SIGTERM."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""


class _Output:
    """A pipe that a process writes to, read into its log.

    Ours and not asyncio's own: with that, the end of a process is noticed only when all that it started has closed it.
    """

    def __init__(self, name: str, log: ChildLog, echo: Echo, stream: asyncio.StreamReader, write_end: int) -> None:
        self.log = log
        self.write_end = write_end
        self._name = name
        self._echo = echo
        self.ended = asyncio.create_task(self._read(stream))

    @classmethod
    async def open(cls, name: str, log: ChildLog, echo: Echo) -> "_Output":
        """Makes the pipe. The caller closes ``write_end`` when the process has it. Raises OSError."""
        read_end, write_end = os.pipe()
        stream = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(stream)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(read_end, "rb", buffering=0))
        return cls(name, log, echo, stream, write_end)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        """Splits the output into lines; one longer than a chunk is cut."""
        rest = b""
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _CHUNK:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take(line)
        if rest:
            self._take(rest)
        self.log.close()

    def _take(self, line: bytes) -> None:
        self.log.write(line + b"\n")
        if self._echo is not None:
            self._echo(self._name, line.decode(errors="replace"))


class Child:
    """A running process, in a session of its own (Ctrl-C is ours to pass on) and tied to the end of this one."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, output: _Output | None) -> None:
        self.spec = spec
        self._process = process
        self._output = output
        self._ended = asyncio.create_task(self._reap())

    @classmethod
    async def start(cls, spec: ProcessSpec, echo: Echo) -> "Child":
        """Starts it. Raises OSError."""
        tethered = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *spec.argv]
        output = None if spec.log is None else await _Output.open(spec.name, ChildLog(spec.log), echo)
        end = None if output is None else output.write_end
        try:
            process = await asyncio.create_subprocess_exec(
                *tethered,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=end,
                stderr=end,
                env={**os.environ, **spec.env},
                start_new_session=True,
            )
        finally:
            if end is not None:
                os.close(end)
        return cls(spec, process, output)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def tail(self) -> Sequence[str]:
        """The last lines it logged; none when it writes to our own output."""
        return () if self._output is None else tuple(self._output.log.tail)

    async def wait(self) -> int:
        """Waits for its end. Returns the status as subprocess has it: negative for a signal."""
        return await asyncio.shield(self._ended)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself; nothing happens when it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, hurry: asyncio.Event) -> bool:
        """Ends it: SIGTERM, and SIGKILL when it takes longer than ``stop_within`` or ``hurry`` is set.

        Returns whether SIGTERM was enough.
        """
        self.send(signal.SIGTERM)
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({self._ended, hurried}, timeout=self.spec.stop_within, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        in_time = self._ended.done()
        if not in_time:
            self._signal_group(signal.SIGKILL)
            await self._ended
        return in_time

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def _reap(self) -> int:
        """Ends with the process what it left behind in its group, and reads the output to its end."""
        status = await self._process.wait()
        self._signal_group(signal.SIGKILL)
        if self._output is not None:
            await self._output.ended
        return status
