"""``python -m tests.remediator.api.fuzzed CONFIG STATE LISTEN``: a real remediator whose tasks are harmless.

Whoever asks for anything at all may hit upon a task that changes the machine: there is none.
"""

import asyncio
import sys
from pathlib import Path

from exporter.base.log_setup import configure
from remediator import service
from remediator.config.config import Config
from remediator.control import settings
from remediator.model.task import Task
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources

HARMLESS = ("health-check", "log-rotation", "daily")


def harmless(config: Config, resources: Resources) -> dict[str, Task]:
    """Tasks of which only log-rotation changes anything: log directories of the config."""
    built = build_tasks(config, resources)
    return {name: built[name] for name in HARMLESS}


if __name__ == "__main__":
    settings.build_tasks = harmless
    configure(level="info")
    asyncio.run(service.serve(*map(Path, sys.argv[1:3]), sys.argv[3]))
