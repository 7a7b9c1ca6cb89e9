"""`upkeeper up` as a child process on a state directory of its own."""

import asyncio
import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.helpers import Hopeless, wait_until
from tests.ports import free_port_range
from upkeeper.up.ports import Ports

ROOT = Path(__file__).resolve().parents[3]


class Up:
    """One `upkeeper up` on a state directory of its own. Everything it starts carries a mark in its environment."""

    def __init__(self, directory: Path, *options: str) -> None:
        base = free_port_range(4)
        self.ports = Ports.from_base(base)
        self.state = directory / "state"
        self.config = directory / "upkeeper.yml"
        self.config.write_text("{}\n")
        self.arguments = ["up", f"--state-dir={self.state}", f"--port-base={base}", f"--config={self.config}", *options]
        self.mark = uuid.uuid4().hex
        self.env = {**os.environ, "UPKEEPER_TEST_MARK": self.mark, "PYTHONPATH": str(ROOT)}
        self.output = directory / "up.log"

    @asynccontextmanager
    async def running(self, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Started, and ready; ended with the block."""
        with self.output.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "upkeeper.main"),
                *self.arguments,
                env=self.env | env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

        def banner() -> bool:
            if process.returncode is not None:
                raise Hopeless(self.output.read_text())
            return "Ctrl-C stops everything" in self.output.read_text()

        try:
            await wait_until(banner, timeout=180, what="the banner")
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    def refused(self, **env: str) -> str:
        """What it says when it does not start, for a mistake of the user's."""
        done = subprocess.run(
            [sys.executable, "-m", "upkeeper.main", *self.arguments],
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def processes(self) -> dict[int, str]:
        """What runs with our mark: process id -> command line."""
        found = {}
        for environ in Path("/proc").glob("[0-9]*/environ"):
            # Of a zombie it is empty. psutil would take ten times as long to tell them apart, and this is polled.
            with contextlib.suppress(OSError):
                if self.mark.encode() in environ.read_bytes():
                    command = environ.with_name("cmdline").read_bytes().rstrip(b"\0")
                    found[int(environ.parent.name)] = command.replace(b"\0", b" ").decode()
        return found

    def pid_of(self, part: str) -> int | None:
        """The process id of the one whose command line has this part."""
        return next((pid for pid, line in self.processes().items() if part in line), None)


def printed(text: str) -> tuple[Any, Any]:
    """What `up --no-prometheus` prints for prometheus.yml and for alertmanager.yml."""
    prometheus, rest = text.split("Add to your prometheus.yml:")[1].split("Add to your alertmanager.yml", 1)
    # After it there may be log lines.
    alertmanager = rest.split(":\n", 1)[1].split("\n{")[0]
    return yaml.safe_load(prometheus), yaml.safe_load(alertmanager)
