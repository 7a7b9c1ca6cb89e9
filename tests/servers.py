"""Private Prometheus and Alertmanager processes for tests: own directory, free loopback port, ended with the block."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.helpers import Hopeless, missing, wait_until
from tests.ports import free_port
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS, Wanted, locate


@dataclass(frozen=True)
class Server:
    """A running server: its base URL without a trailing slash, and its process id."""

    url: str
    pid: int


def server_program(wanted: Wanted) -> Path:
    """The server that UPKEEPER_PROMETHEUS or UPKEEPER_ALERTMANAGER names, else the one on PATH; else skips the test."""
    path = locate(wanted, os.environ)
    if path is None:
        missing(f"{wanted.title} is not on PATH (Debian package {wanted.package})")
    assert path is not None
    return path


def tool(name: str, package: str) -> str:
    """``promtool`` or ``amtool``: what UPKEEPER_PROMTOOL or UPKEEPER_AMTOOL names, else the one on PATH; else skips."""
    path = os.environ.get(f"UPKEEPER_{name.upper()}") or shutil.which(name)
    if path is None:
        missing(f"{name} is not on PATH (Debian package {package})")
    assert path is not None
    return path


PROMETHEUSES = ("distribution", *(("new",) if os.environ.get("UPKEEPER_NEW_PROMETHEUS") else ()))
"""The generations of Prometheus on which what is read from it is tried: the newer one where it is named, as a build of
it takes too long for each run of CI (scripts/build-prometheus).
"""


def prometheus_program(generation: str) -> Path:
    """The Prometheus of a generation, or the test is skipped."""
    return Path(os.environ["UPKEEPER_NEW_PROMETHEUS"]) if generation == "new" else server_program(PROMETHEUS)


@asynccontextmanager
async def prometheus(
    directory: Path,
    config: Mapping[str, Any],
    *more: str,
    port: int | None = None,
    program: Path | None = None,
    by_hand: bool = False,
) -> AsyncIterator[Server]:
    """A Prometheus with this config, its data below ``directory``. more: arguments. program: else what is found.
    by_hand: it is started in the directory, and its config is named as one does there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    file = "prometheus.yml" if by_hand else f"{directory}/prometheus.yml"
    arguments = [f"--config.file={file}", f"--storage.tsdb.path={directory}/data", *more]
    program = program or server_program(PROMETHEUS)
    async with _running(
        program, arguments, directory / "prometheus.log", port, directory if by_hand else None
    ) as server:
        yield server


@asynccontextmanager
async def alertmanager(
    directory: Path, config: Path, *, program: Path | None = None, port: int | None = None, cluster: Sequence[str] = ()
) -> AsyncIterator[Server]:
    """An Alertmanager with this config file, its data below ``directory``.

    program: else the one that server_program finds. cluster: arguments by which it is one of several; else it is alone.
    """
    directory.mkdir(parents=True, exist_ok=True)
    arguments = [f"--config.file={config}", f"--storage.path={directory}/data"]
    arguments += cluster or ["--cluster.listen-address="]
    program = program or server_program(ALERTMANAGER)
    async with _running(program, arguments, directory / "alertmanager.log", port) as server:
        yield server


ALERTMANAGERS = ("distribution", "new")
"""The two generations of Alertmanager whose API and silences are tried."""


def alertmanager_program(generation: str) -> Path:
    """The Alertmanager of a generation, or the test is skipped."""
    if generation == "distribution":
        return server_program(ALERTMANAGER)
    named = os.environ.get("UPKEEPER_NEW_ALERTMANAGER")
    if named is None:
        missing("UPKEEPER_NEW_ALERTMANAGER names no Alertmanager 0.28 (.ci/run builds one)")
    assert named is not None
    return Path(named)


@asynccontextmanager
async def _running(
    program: Path, arguments: Sequence[str], log: Path, port: int | None = None, cwd: Path | None = None
) -> AsyncIterator[Server]:
    port = port or free_port()
    with log.open("ab") as output:
        # As `upkeeper up` does: by default the links in messages have the machine's name.
        addresses = (f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url=http://127.0.0.1:{port}")
        process = await asyncio.create_subprocess_exec(
            program, *arguments, *addresses, stdout=output, stderr=output, cwd=cwd
        )
    server = Server(f"http://127.0.0.1:{port}", process.pid)

    async def ready() -> bool:
        if process.returncode is not None:
            raise Hopeless(f"{program.name}:\n{log.read_text()[-2000:]}")
        return await answers(f"{server.url}/-/ready")

    try:
        await wait_until(ready, what=f"{program.name} to be ready")
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answers(url: str) -> bool:
    """Whether the URL answers 200."""
    # Nothing here speaks TLS to Prometheus; a client that could takes 30 ms of a processor to make.
    async with httpx.AsyncClient(verify=False) as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx.TransportError:
            return False
