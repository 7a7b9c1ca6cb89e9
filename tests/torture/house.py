"""``python -m tests.torture.house CONFIG STATE LISTEN LEDGER THINGS``: a real remediator whose tasks bump a ledger.

``bump`` bumps each of so many things, which are breached until they were bumped once; ``tick`` bumps a clock.

With ``--many`` it starts one remediator for each line on its standard input, each a process forked from this one, which
has imported all that it needs: most of the time of a start. It prints the process's id, and its status when it ended.
"""

import asyncio
import importlib
import os
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.base.log_setup import configure
from remediator import service
from remediator.control import settings
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task
from remediator.model.taskfacts import TaskFacts
from tests.torture.ledger import ask

IMPORTED_LATER = ("alembic.command", "alembic.config", "dbos", "httpx", "remediator.engine")
"""Large modules that a remediator imports when it needs them."""


class Bump:
    """Plans a bump whenever it is asked, so that whoever runs it twice is found out."""

    parameters: type[Parameters] = Parameters
    action_timeout = 30.0

    def __init__(self, name: str, targets: Sequence[str], ledger: int) -> None:
        self.facts = TaskFacts(
            name=name, summary="bumps things", never=(), configured=lambda _: targets, unattended="auto"
        )
        self._targets = targets
        self._ledger = ledger

    async def targets(self) -> Sequence[str]:
        return self._targets

    async def _state(self, target: str) -> int:
        return await asyncio.to_thread(ask, self._ledger, "state", target)

    async def measure(self, target: str) -> Measurement:
        state = await self._state(target)
        return Measurement(breached=state == 0, values={"state": state}, detail=f"bumped {state} times")

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        state = await self._state(target)
        return Plan(actions=[Action(kind="bump", object=target, reason="asked for", params={"state": state})])

    async def apply(self, target: str, action: Action) -> Effect:
        await asyncio.sleep(random.uniform(0, 0.2))
        done = await asyncio.to_thread(ask, self._ledger, "bump", target, str(action.params["state"]))
        await asyncio.sleep(random.uniform(0, 0.2))
        return Effect(state="done") if done else Effect(state="skipped", detail="bumped since the plan")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["state"] > before.values["state"]


def main(config: str, state: str, listen: str, ledger: int, things: int) -> None:
    tasks: Mapping[str, Task] = {
        "bump": Bump("bump", [f"thing{number}" for number in range(things)], ledger),
        "tick": Bump("tick", ["clock"], ledger),
    }
    settings.build_tasks = lambda *_: tasks  # type: ignore[assignment]
    configure(level="info")
    asyncio.run(service.serve(Path(config), Path(state), listen))


def many(config: str, state: str, listen: str, ledger: int, things: int) -> None:
    """One remediator after the other, as asked for."""
    for name in IMPORTED_LATER:
        importlib.import_module(name)
    while sys.stdin.readline():
        child = os.fork()
        if child == 0:
            os.close(0)
            os.close(1)
            os.open(os.devnull, os.O_RDWR)
            os.dup2(0, 1)
            random.seed()  # else each would draw the same
            main(config, state, listen, ledger, things)
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    once = sys.argv[1] != "--many"
    arguments = sys.argv[1:] if once else sys.argv[2:]
    (main if once else many)(*arguments[:3], *map(int, arguments[3:5]))
