"""The real processes, and what they tell the manager that started them."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.manager_socket import manager_socket
from tests.ports import free_port
from tests.upkeeper.commandline import CLEAN, SOURCES, UPKEEPER

pytestmark = pytest.mark.slow

OFF = "{" + ", ".join(f"{name}: {{enabled: false}}" for name in ("docker", "docker_usage", "updates", "findings")) + "}"


@pytest.mark.parametrize("service", ["exporter", "remediator"])
async def test_a_service_says_that_it_is_ready_lives_and_stops(tmp_path: Path, service: str) -> None:
    config = tmp_path / "upkeeper.yml"
    config.write_text(f"collectors: {OFF}\nremediator: {{ballast: 0}}\n")
    arguments = (service, "--config", config, "--state-dir", tmp_path / "s", "--listen", f"127.0.0.1:{free_port()}")
    with manager_socket(tmp_path) as manager, (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *UPKEEPER, *map(str, arguments), env={**CLEAN, **manager.environ(watchdog=0.3)}, cwd=SOURCES,
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            await wait_until(lambda: "READY=1" in manager.listen() or process.returncode is not None)
            before = manager.heard.index("READY=1")
            assert manager.heard[0] == "EXTEND_TIMEOUT_USEC=60000000"
            await wait_until(lambda: manager.listen()[before:].count("WATCHDOG=1") > 1)
            process.terminate()
            assert await process.wait() == 0
            assert "STOPPING=1" in manager.listen()[before:]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            sys.stderr.write((tmp_path / "log").read_text())
