"""A drill that stays at one station, in a process of its own, for tests that interrupt it.

``python -m tests.upkeeper.drill.interrupted STATE_DIR STATION``: prints a line when the station is reached.
"""

import asyncio
import sys
from pathlib import Path

from remediator.model.errors import ClientError
from remediator.statedir import StateDir
from tests.upkeeper.drill.facts import QUIET, at
from upkeeper.drill.drill import Drill, Report
from upkeeper.drill.facts import DrillFacts
from upkeeper.drill.interrupt import interruptible
from upkeeper.drill.stations import Station


class Staying:
    """A source that always says the same, once the breach is there."""

    def __init__(self, state: StateDir, station: Station) -> None:
        self._state = state
        self._facts = at(station)

    async def begin(self) -> None: ...

    async def look(self) -> DrillFacts:
        return self._facts if self._state.drill.exists() else QUIET

    examine = look


async def main(state: StateDir, station: Station) -> None:
    def watch(report: Report) -> None:
        if station in report.progress.passed:
            print("there", flush=True)

    async with interruptible():
        await Drill(state, Staying(state, station), watch, timeout=3600).run()


if __name__ == "__main__":
    try:
        asyncio.run(main(StateDir(Path(sys.argv[1])), Station(sys.argv[2])))
    except ClientError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
