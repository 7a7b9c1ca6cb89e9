"""``python -m tests.torture.house CONFIG STATE LISTEN LEDGER THINGS``: a real remediator whose tasks bump a ledger.

``bump`` bumps each of so many things, which are breached until they were bumped once; ``tick`` bumps a clock.
"""

import asyncio
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


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
