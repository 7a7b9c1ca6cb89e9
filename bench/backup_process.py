"""The process of ours that the benchmark of backups measures: it makes one set, verifies it, and says how it went."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.backups import manifest as manifests
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from exporter.inventory.postgres import PostgresServer
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.task import Backup
from remediator.tasks.backup_verification.checksums import differences


async def once(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Makes a set and verifies its checksums: seconds of both, bytes of the set, and the peak of our memory."""
    series = Series.model_validate(spec["series"])
    server = PostgresServer.model_validate(spec["server"])
    task = Backup([series], [server], Owner(host="bench", state=""), "bench", lambda: DockerEngine("unix:///none"))
    plan = await task.plan(series.name)
    start = time.perf_counter()
    for action in plan.actions:
        await task.apply(series.name, action)
    seconds = time.perf_counter() - start
    directory = Path(str(series.path)) / str(plan.actions[-1].params["set"])
    manifest, _ = manifests.read(directory)
    start = time.perf_counter()
    wrong: Sequence[str] = await asyncio.to_thread(differences, directory, manifest, threading.Event())
    verify_seconds = time.perf_counter() - start
    if wrong:
        raise RuntimeError(f"the set is damaged: {wrong[0]}")
    status = Path("/proc/self/status").read_text()  # getrusage's peak is the parent's where that was larger
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return {
        "seconds": seconds, "verify_seconds": verify_seconds, "bytes": manifest.bytes,
        "peak_bytes": peak, "set": str(directory),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(once(json.load(sys.stdin)))))
