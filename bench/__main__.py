"""``python -m bench [NAME ...] [--json]``: measures, and prints what was found.

Exits 0 when everything was measured or skipped for the lack of a peer, 1 when something could not be measured. Goals
that are not met are printed as such and change nothing of that: a figure belongs to the machine it was taken on.
"""

import argparse
import asyncio
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.report import Result, Skipped, lines

BENCHMARKS = (
    "scrape",
    "exporters",
    "walk",
    "rotation",
    "rotation_window",
    "backup",
    "deletion",
    "cleanup",
    "acceptance",
    "first_action",
    "schedule",
    "console",
    "commands",
    "maintenance_report",
    "maintenance",
    "update",
    "footprint",
    "fleet",
)


@dataclass(frozen=True)
class Missing:
    """A benchmark without a figure. skipped: because its peer is not installed."""

    benchmark: str
    reason: str
    skipped: bool


def machine() -> str:
    """What it is measured on, in one line without names."""
    memory = psutil.virtual_memory().total / 1024**3
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, {platform.machine()}"


async def measure(name: str, *, show: bool) -> list[Result | Missing]:
    """The results of one benchmark, each printed as it comes where ``show`` is set."""
    found: list[Result | Missing] = []
    try:
        async for result in importlib.import_module(f"bench.{name}").run():
            found.append(result)
            if show:
                print("\n".join(lines(result)), flush=True)
    except Skipped as reason:
        found.append(Missing(name, str(reason), skipped=True))
    except Exception as error:  # noqa: BLE001 - whatever it was, the other benchmarks are measured all the same
        found.append(Missing(name, f"{type(error).__name__}: {error}", skipped=False))
    if show and found and isinstance(found[-1], Missing):
        print(f"{name}: {'skipped' if found[-1].skipped else 'NOT MEASURED'}: {found[-1].reason}", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status. arguments: those of the command line, unless given."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Upkeeper beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    start = time.monotonic()
    if not options.json:
        print(machine())
    found = [each for name in options.names or BENCHMARKS for each in asyncio.run(measure(name, show=not options.json))]
    missing = [each for each in found if isinstance(each, Missing)]
    if options.json:
        document = {
            "machine": machine(),
            "results": [each.as_json() for each in found if isinstance(each, Result)],
            "missing": [{"benchmark": m.benchmark, "reason": m.reason, "skipped": m.skipped} for m in missing],
        }
        print(json.dumps(document, indent=2))
    else:
        print(f"measured in {time.monotonic() - start:.0f} s")
    return 1 if any(not each.skipped for each in missing) else 0


if __name__ == "__main__":
    sys.exit(main())
