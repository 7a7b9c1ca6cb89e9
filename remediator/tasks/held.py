"""A task that keeps its connections open while it works."""

from collections.abc import Sequence

from remediator.model.evidence import GivesEvidence, Source
from remediator.model.task import (
    NO_PARAMS,
    Action,
    ClearsUp,
    Effect,
    GoesTogether,
    Measurement,
    Parameters,
    Params,
    Plan,
    Task,
)
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

    async def clear_up(self, target: str, actions: Sequence[Action]) -> str:
        """Nothing is done, and nothing said, where the task has nothing to clear up."""
        if not isinstance(self._task, ClearsUp):
            return ""
        with self._resources.in_use():
            return await self._task.clear_up(target, actions)

    @property
    def most_together(self) -> int:
        return self._task.most_together if isinstance(self._task, GoesTogether) else 1

    def together(self, actions: Sequence[Action]) -> int:
        """One after the other where the task says nothing else."""
        return self._task.together(actions) if isinstance(self._task, GoesTogether) else 1

    def evidence(self, target: str) -> Sequence[Source]:
        """None of its own where the task gives none."""
        return self._task.evidence(target) if isinstance(self._task, GivesEvidence) else ()

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return self._task.improved(before, after)
