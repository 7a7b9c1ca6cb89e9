"""A task that keeps its connections open while it works."""

from collections.abc import Sequence

from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task
from remediator.model.taskfacts import TaskFacts
from remediator.tasks.resources import Resources


class Held:
    """A task behind its resources."""

    def __init__(self, task: Task, resources: Resources) -> None:
        self._task = task
        self._resources = resources

    @property
    def facts(self) -> TaskFacts:
        return self._task.facts

    @property
    def action_timeout(self) -> float:
        return self._task.action_timeout

    @property
    def parameters(self) -> type[Parameters]:
        return self._task.parameters

    async def targets(self) -> Sequence[str]:
        with self._resources.in_use():
            return await self._task.targets()

    async def measure(self, target: str) -> Measurement:
        with self._resources.in_use():
            return await self._task.measure(target)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        with self._resources.in_use():
            return await self._task.plan(target, params)

    async def apply(self, target: str, action: Action) -> Effect:
        with self._resources.in_use():
            return await self._task.apply(target, action)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return self._task.improved(before, after)
