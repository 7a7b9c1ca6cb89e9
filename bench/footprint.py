"""What `upkeeper up` costs a machine at rest, and after a drill: memory and processor time, beside the former build.

Both builds run at the same time with the default config, each on a state directory and ports of its own.
``UPKEEPER_BENCH_REST`` is the seconds at rest: 300, or an hour (3600) for the long form, which shows whether it grows.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.former import COMMIT, OURS, Build, former_build
from bench.processes import our_versions
from bench.report import Goal, Result
from tests.ports import free_port_range

REST_SECONDS = float(os.environ.get("UPKEEPER_BENCH_REST", "300"))
SETTLE_SECONDS = 60.0
"""Seconds after the start that count as start: the first rounds of all collectors."""
READY_SECONDS = 60.0
COMMAND = "python -m bench footprint"
FORMER = f"the build of {COMMIT}"


@dataclass(frozen=True)
class Sample:
    """Our own processes of one `upkeeper up`, by what they are."""

    memory: dict[str, float]
    """Proportional set size in MB."""
    processor: dict[str, float]
    """Seconds since their start."""

    @property
    def total(self) -> float:
        return sum(self.memory.values())


class Up:
    """A running `upkeeper up`."""

    def __init__(self, build: Build, root: Path) -> None:
        self._build = build
        self._state = root / f"state-{build.name}"
        self._log = root / f"{build.name}.log"
        self._env = {**os.environ, **build.env}

    @contextmanager
    def running(self) -> Iterator["Up"]:
        """Started and ready. Raises RuntimeError when it does not become so."""
        options = [f"--state-dir={self._state}", f"--port-base={free_port_range(4)}"]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*self._build.command, "up", *options], stdout=output, stderr=output, env=self._env
            )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while "Ctrl-C stops everything" not in self._log.read_text():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self._build.name} did not start:\n{self._log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield self
        finally:
            self._process.terminate()
            self._process.wait()

    def sample(self) -> Sample:
        """What is there now. Programs that a collector has started for a moment do not count."""
        top = psutil.Process(self._process.pid)
        memory, processor = {}, {}
        for process in (top, *top.children()):
            line = " ".join(process.cmdline())
            found = re.search(r"\b(exporter|remediator) --listen", line)
            if process.pid != top.pid and found is None:
                continue  # Prometheus and Alertmanager
            name = found[1] if found else "supervisor"
            times = process.cpu_times()
            memory[name] = process.memory_full_info().pss / 1e6
            processor[name] = times.user + times.system
        return Sample(memory, processor)

    def drill(self) -> None:
        """Raises RuntimeError when it fails."""
        command = [*self._build.command, "drill", f"--state-dir={self._state}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._env)
        if done.returncode != 0:
            raise RuntimeError(f"the drill of {self._build.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _parts(sample: Sample) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in sample.memory.items())


async def run() -> AsyncIterator[Result]:
    """Memory at rest and after a drill, processor time at rest, and what was gained meanwhile."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory, ExitStack() as stack:
        root = Path(directory)
        former = stack.enter_context(former_build(root))
        ups = [stack.enter_context(Up(build, root).running()) for build in (OURS, former)]
        time.sleep(SETTLE_SECONDS)
        settled = [up.sample() for up in ups]
        time.sleep(REST_SECONDS)
        rested = [up.sample() for up in ups]
        for up in ups:
            up.drill()
        time.sleep(SETTLE_SECONDS)
        drilled = [up.sample() for up in ups]
    versions = our_versions()
    goal = Goal("ratio", "<=", 0.5)
    for name, (ours, peer) in (("at rest", rested), ("after a drill", drilled)):
        yield Result(
            name=f"memory of our own processes {name}",
            ours=ours.total,
            peer=peer.total,
            peer_name=FORMER,
            unit="MB",
            goal=goal,
            command=COMMAND,
            versions=versions,
            notes=(
                "summed proportional set size: what processes share counts once",
                f"ours: {_parts(ours)}; before: {_parts(peer)}",
            ),
        )
    used = [
        (after.processor["remediator"] - before.processor["remediator"]) / REST_SECONDS * 100
        for before, after in zip(settled, rested, strict=True)
    ]
    yield Result(
        name="the remediator's processor time at rest",
        ours=used[0],
        peer=used[1],
        peer_name=FORMER,
        unit="% of a core",
        goal=Goal("ratio", "<=", 0.1),
        command=COMMAND,
        versions=versions,
        notes=(f"over {REST_SECONDS:.0f} s, from {SETTLE_SECONDS:.0f} s after the start",),
    )
    yield Result(
        name=f"growth over {REST_SECONDS:.0f} s at rest",
        ours=rested[0].total - settled[0].total,
        peer=rested[1].total - settled[1].total,
        peer_name=FORMER,
        unit="MB",
        goal=None,
        command=f"UPKEEPER_BENCH_REST=3600 {COMMAND}",
        versions=versions,
    )
