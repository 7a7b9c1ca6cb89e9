"""Tasks that only look are done without the engine, and are begun anew after a crash."""

import asyncio

from remediator.config.config import Config
from remediator.control.settings import Settings
from remediator.decide.remedies import Remedies
from remediator.model.task import NO_PARAMS, Params, Plan
from remediator.tasks.resources import Resources
from tests.helpers import wait_until
from tests.remediator.stack import Stack
from tests.remediator.sweep import Sweep


class Peek(Sweep):
    """Counts the files and never has an action."""

    facts = Sweep.facts._replace(name="peek", shows="checks")
    gate: asyncio.Event | None = None

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        if self.gate is not None:
            await self.gate.wait()
        return Plan(notes=["looked"])


def put_in_force(stack: Stack) -> Peek:
    peek, config = Peek(stack.attic), Config()
    stack.core.apply_settings(Settings(config, Remedies([]), {"peek": peek}, Resources(config)))
    return peek


async def test_a_look_is_recorded_and_the_engine_stays_down(stack: Stack) -> None:
    put_in_force(stack)
    stack.clutter(1)
    await stack.core.start_run("peek", "attic")
    (run,) = await stack.finished()
    assert (run["outcome"], run["notes"]) == ("ineffective", ["looked"])
    engine = stack.core.queue._engine
    assert engine is not None
    assert engine._workflow is None


async def test_a_look_that_was_interrupted_is_begun_anew(stack: Stack) -> None:
    peek = put_in_force(stack)
    peek.gate = asyncio.Event()
    run = await stack.core.start_run("peek", "attic")

    async def state() -> str:
        return (await stack.core.run(run["id"]))["state"]

    await wait_until(state, equals="planning")
    settings = stack.core._settings
    await stack.core.close()
    peek.gate.set()
    stack.core = type(stack.core)(stack.core.state, settings, clock=stack.clock)
    await stack.core.open()
    await stack.core.start_engine()
    (ended,) = await stack.finished()
    assert (ended["id"], ended["outcome"]) == (run["id"], "nothing-to-do")
