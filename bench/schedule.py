"""What 100 jobs on the schedule cost at rest: the remediator's processor time with them, beside one without any.

Both run at the same time, on a state directory and a port of their own. The jobs are due once a year: what is measured
is waiting. ``UPKEEPER_BENCH_REST`` is the seconds at rest, 120 unless given.
"""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.processes import UPKEEPER, cpu_seconds, our_versions, running
from bench.report import Result
from tests.ports import free_port

JOBS = 100
REST_SECONDS = float(os.environ.get("UPKEEPER_BENCH_REST", "120"))
SETTLE_SECONDS = 20.0


def _jobs(count: int) -> list[dict[str, Any]]:
    """In January, each at another time, of a task that only looks."""
    return [
        {"name": f"job-{number}", "at": f"{number % 60} {number % 24} {1 + number % 28} 1 *", "task": "health-check"}
        for number in range(count)
    ]


@contextmanager
def _remediator(root: Path, jobs: int) -> Iterator[psutil.Process]:
    directory = root / f"with-{jobs}"
    directory.mkdir()
    config, port, off = directory / "upkeeper.yml", free_port(), {"enabled": False}
    document = {"schedule": {"jobs": _jobs(jobs)}, "collectors": {"docker": off, "docker_usage": off}}
    config.write_text(yaml.safe_dump({**document, "remediator": {"ballast": 0}}))
    command = [*UPKEEPER, "remediator", "--config", config, "--state-dir", directory / "state",
               "--listen", f"127.0.0.1:{port}"]  # fmt: skip
    with running(command, f"http://127.0.0.1:{port}/-/ready", directory / "log") as process:
        yield process


async def run() -> AsyncIterator[Result]:
    """Processor time at rest."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory, ExitStack() as stack:
        both = [stack.enter_context(_remediator(Path(directory), jobs)) for jobs in (JOBS, 0)]
        time.sleep(SETTLE_SECONDS)
        before = [cpu_seconds(process) for process in both]
        time.sleep(REST_SECONDS)
        ours, peer = (cpu_seconds(process) - was for process, was in zip(both, before, strict=True))
    yield Result(
        name=f"processor time of {JOBS} jobs on the schedule at rest",
        ours=ours * 1000,
        peer=peer * 1000,
        peer_name="without a job",
        unit=f"ms in {REST_SECONDS:g} s",
        goal=None,
        command="python -m bench schedule",
        versions=our_versions(),
        notes=("the kernel counts in steps of 10 ms",),
    )
