"""Restores a set, to be killed while it does: ``python -m tests...killed SETS DATA DATABASE OUT``."""

import asyncio
import sys
from pathlib import Path

from remediator.tasks.restore.task import Restore
from tests.remediator.tasks.backup.series import series


def make(data: Path, database: Path) -> dict[str, object]:
    """What is in the set."""
    return {"files": [str(data)], "sqlite": [{"name": f"s{number}", "path": str(database)} for number in range(3)]}


async def restored(sets: Path, data: Path, database: Path, out: Path) -> None:
    task = Restore([series(sets, make(data, database))])
    plan = await task.plan("pa", {"to": str(out)})
    print("planned", flush=True)
    for action in plan.actions:
        await task.apply("pa", action)


if __name__ == "__main__":
    asyncio.run(restored(*map(Path, sys.argv[1:])))
