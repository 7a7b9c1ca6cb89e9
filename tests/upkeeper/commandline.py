"""Commands as their users run them, and the environment for that."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from upkeeper.cli import cli

UPKEEPER = (sys.executable, "-m", "upkeeper.main")
SOURCES = Path(__file__).parents[2]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("UPKEEPER_")}
"""The environment without what the tester's own shell says about Upkeeper."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str


async def invoke(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Done:
    """``upkeeper ARGUMENTS`` in this process, in a thread, so that a server on this event loop can answer it."""
    blank = {name: None for name in os.environ if name.startswith("UPKEEPER_")}
    runner = CliRunner(env={**blank, **(env or {})})
    result = await asyncio.to_thread(runner.invoke, cli, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@asynccontextmanager
async def process(
    *arguments: str | Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """``upkeeper ARGUMENTS`` as a process, its output piped; killed when the block ends before it does."""
    started = await asyncio.create_subprocess_exec(
        *UPKEEPER,
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**CLEAN, **(env or {})},
        cwd=SOURCES,
        # A shell ignores it on behalf of what it starts in the background, such as these tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def ended(started: asyncio.subprocess.Process) -> Done:
    """The command once it has ended by itself."""
    out, err = await started.communicate()
    assert started.returncode is not None
    return Done(started.returncode, out.decode(), err.decode())
