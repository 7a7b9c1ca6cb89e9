"""The exporter as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.helpers import Hopeless, wait_until
from tests.ports import free_port

_SERVE = """
import asyncio, sys
from pathlib import Path
from exporter.base import log_setup
from exporter.main import serve
log_setup.configure(json=True)
config, listen, state = sys.argv[1:]
asyncio.run(serve(Path(config) if config else None, listen, Path(state) if state else None))
"""


class ExporterProcess:
    """An exporter with its own port. Hopeless at the end of the ``async with`` block if it has not ended by itself."""

    def __init__(self, directory: Path, config: str = "", state: Path | None = None) -> None:
        self.config = directory / "upkeeper.yml"
        self.config.write_text(config)
        self.port = free_port()
        self.log = directory / "log"
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _SERVE,
                    str(self.config),
                    f"127.0.0.1:{self.port}",
                    str(self._state) if self._state else "",
                ],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        try:
            await wait_until(self._listens, what="the exporter to listen")
        except BaseException:
            self.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise Hopeless(self.log.read_text())
        return self.get("/-/healthy")[0] == 200

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal, and returns the exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(60)

    def hangup(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Values by series, as they are written."""
        lines = self.get("/metrics")[1].splitlines()
        series = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in series}

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]
