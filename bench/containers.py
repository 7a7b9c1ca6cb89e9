"""Ten containers of a private Docker engine, and cadvisor beside us to watch them.

Debian 12 has no package of cadvisor, so ``UPKEEPER_CADVISOR`` names the program; without it, containers are left out.
"""

import os
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bench.processes import running
from bench.report import Skipped
from tests.dockerd import private_dockerd
from tests.ports import free_port

CADVISOR = "UPKEEPER_CADVISOR"
NAMES: Sequence[str] = tuple(f"bench-{number}" for number in range(10))
_SEEN_SECONDS = 60.0


def named_cadvisor() -> str | None:
    """The program that the environment names; None without one. Raises FileNotFoundError for what is no program."""
    path = os.environ.get(CADVISOR)
    if not path:
        return None
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise FileNotFoundError(f"{CADVISOR} names {path}, which is no program")
    return path


@contextmanager
def engine(directory: Path) -> Iterator[str]:
    """The address of an engine that runs the ten containers. Raises Skipped where no private engine can run.

    directory: becomes the engine's, and is removed at the end. Keep it short, for the socket's sake.
    """
    with _as_skipped(), private_dockerd(directory) as dockerd:
        for name in NAMES:
            dockerd.run(name, "exec sleep 86400")
        yield dockerd.host


@contextmanager
def _as_skipped() -> Iterator[None]:
    """What the tests' engine says to pytest, said to the benchmark."""
    try:
        yield
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        raise Skipped(f"{reason.msg}; without {CADVISOR} containers are left out") from None


@contextmanager
def cadvisor(path: str, host: str, log: Path) -> Iterator[tuple[psutil.Process, int]]:
    """A cadvisor that watches the engine at ``host`` and no other control groups, and the port of its /metrics.

    Raises RuntimeError when it does not start, or does not see the containers.
    """
    port = free_port()
    command = [path, "--listen_ip=127.0.0.1", f"--port={port}", f"--docker={host}", "--docker_only=true"]
    with running(command, f"http://127.0.0.1:{port}/healthz", log) as process:
        wait_until_seen(f"http://127.0.0.1:{port}/metrics", 'name="{}"')
        yield process, port


def wait_until_seen(url: str, label: str, seconds: float = _SEEN_SECONDS) -> None:
    """Returns once the metrics have a series of each container: a figure of one that sees less would mean nothing.

    label: how a series names its container, with ``{}`` for the name. Raises RuntimeError when the time is over.
    """
    deadline = time.monotonic() + seconds
    while missing := _unseen(url, label):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{url} has no series of {', '.join(missing)}")
        time.sleep(0.2)


def _unseen(url: str, label: str) -> list[str]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return [name for name in NAMES if label.format(name) not in text]
