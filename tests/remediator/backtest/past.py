"""A Prometheus with a past: blocks made by promtool from samples in OpenMetrics."""

import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.servers import Server, prometheus, prometheus_program, tool

Span = tuple[float, float]


def lines(name: str, labels: Mapping[str, str], spans: Iterable[Span], step: float, value: float = 1.0) -> list[str]:
    """Samples of a series at each step of some times."""
    label = ",".join(f'{key}="{text}"' for key, text in labels.items())
    found = []
    for begin, end in spans:
        at = begin
        while at <= end:
            found.append(f"{name}{{{label}}} {value:.0f} {at:.0f}")
            at += step
    return found


def alerts(labels: Mapping[str, str], spans: Iterable[Span], step: float) -> list[str]:
    """Samples of an alert that fires at these times."""
    return lines("ALERTS", {**labels, "alertstate": "firing"}, spans, step)


@asynccontextmanager
async def remembering(
    directory: Path,
    samples: Mapping[str, Iterable[str]],
    config: Mapping[str, Any],
    *more: str,
    generation: str = "distribution",
) -> AsyncIterator[Server]:
    """samples: lines by the name of their metric. more: arguments of Prometheus. generation: one of PROMETHEUSES."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "history").open("w") as file:
        for name, of_it in samples.items():
            file.write(f"# TYPE {name} gauge\n")
            file.writelines(f"{line}\n" for line in of_it)
        file.write("# EOF\n")
    # It reads all samples for each block, of which there is one for two hours unless told otherwise.
    longest = "--max-block-duration=744h"
    command = [tool("promtool", "prometheus"), "tsdb", "create-blocks-from", longest, "openmetrics"]
    subprocess.run([*command, directory / "history", directory / "data"], check=True, capture_output=True)
    program = prometheus_program(generation)
    async with prometheus(directory, config, *more, program=program) as server:
        yield server
