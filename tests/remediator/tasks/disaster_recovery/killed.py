"""Drills the newest set, to be killed while it does: ``python -m tests...killed ENGINE SETS STATE SERVICE``."""

import asyncio
import json
import sys
from pathlib import Path

from exporter.docker.engine import DockerEngine
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from tests.remediator.tasks.backup.series import series


async def drilled(host: str, sets: Path, state: Path, service: str) -> None:
    drill = {"services": [json.loads(service)], "memory": "32MiB", "spare": 0, "within": 120}
    engine = DockerEngine(host, 30.0)
    task = DisasterRecoveryTest([series(sets, {"files": ["/x"]}, drill=drill)], lambda: engine, state)
    (action,) = (await task.plan("pa")).actions
    print("planned", flush=True)
    await task.apply("pa", action)


if __name__ == "__main__":
    asyncio.run(drilled(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
