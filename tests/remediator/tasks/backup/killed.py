"""Makes a set, to be killed while it does: ``python -m tests.remediator.tasks.backup.killed SETS DATA``."""

import asyncio
import sys
from pathlib import Path

from tests.remediator.tasks.backup.series import applied, series, task


def config(sets: Path, data: Path) -> dict[str, object]:
    """What is backed up."""
    return {
        "files": [str(data)],
        "sqlite": [{"name": f"s{number}", "path": str(data / "x.sqlite")} for number in range(3)],
    }


if __name__ == "__main__":
    where, what = Path(sys.argv[1]), Path(sys.argv[2])
    backup = task(series(where, config(where, what)))
    plan = asyncio.run(backup.plan("pa"))
    print("planned", flush=True)
    asyncio.run(applied(backup, plan))
