"""A composite task, as far as it is a task: what its parts do is up to each."""

from collections.abc import Sequence

from exporter.base.text import counted
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.model.taskfacts import Part, TaskFacts
from remediator.tasks.composite.facts import (
    ALL,
    COMPREHENSIVE_CLEANUP,
    DAILY,
    MONTHLY,
    PERFORMANCE_OPTIMIZATION,
    WEEKLY,
    YEARLY,
)
from remediator.tasks.resources import Resources


class Composite:
    """A list of tasks. It measures and applies nothing itself."""

    parameters = Parameters
    action_timeout = 60.0

    def __init__(self, facts: TaskFacts) -> None:
        self.facts = facts

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        return Measurement(breached=False, detail=counted(len(self.facts.parts), "task"))

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return Plan(actions=[Action(kind="run", object=part.task, reason=_reason(part)) for part in self.facts.parts])

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{action.object} is a task of its own, and has a run of its own")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False


def _reason(part: Part) -> str:
    return f"after {' and '.join(part.needs)}" if part.needs else "in its turn"


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [
        Composite(facts) for facts in (DAILY, WEEKLY, MONTHLY, YEARLY, COMPREHENSIVE_CLEANUP, PERFORMANCE_OPTIMIZATION)
    ]
