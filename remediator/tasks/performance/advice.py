"""performance-advice: what is most worth doing, by what the tasks that would do it say themselves. It only looks."""

from collections.abc import Sequence

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.performance.facts import ALL, PERFORMANCE_ADVICE
from remediator.tasks.performance.rows import AdviceRow

WORTH = 3


class PerformanceAdvice:
    """Asks tasks what they would do, and ranks the answers. Applies nothing."""

    facts = PERFORMANCE_ADVICE
    parameters = Parameters
    action_timeout = 60.0

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Never breached: what is over a limit has an alert of its own. It looks at nothing yet."""
        return Measurement(breached=False, detail=f"asks {counted(len(self._tasks), 'task')}")

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        found: list[AdviceRow] = []
        notes: list[str] = []
        for task in self._tasks:
            try:
                targets = await task.targets()
            except (UpkeeperError, TimeoutError) as error:
                notes.append(f"{task.facts.name} is left out: {str(error) or 'it does not answer'}.")
                continue
            for one in targets:
                try:
                    advice = await _advice(task, one)
                except (UpkeeperError, TimeoutError) as error:
                    notes.append(f"{task.facts.name} {one} is left out: {str(error) or 'it does not answer'}.")
                else:
                    found += [advice] if advice is not None else []
        ranked = rank(found)
        rest = [f"{row.task} {row.target}" for row in ranked[WORTH:]]
        if rest:
            notes.insert(0, f"Worth doing as well: {', '.join(rest)}.")
        if not ranked:
            notes.insert(0, "There is nothing worth doing now.")
        return Plan(rows=ranked[:WORTH], notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False


def rank(found: Sequence[AdviceRow]) -> list[AdviceRow]:
    """What is over a limit first, then what frees most, then what does most. Pure."""
    return sorted(found, key=lambda row: (not row.breached, -(row.value or 0), -row.actions, row.task, row.target))


async def _advice(task: Task, target: str) -> AdviceRow | None:
    measured = await task.measure(target)
    plan = await task.plan(target)
    if not plan.actions:
        return None
    frees = sum(action.estimated_bytes for action in plan.actions)
    name = task.facts.name
    return AdviceRow(
        task=name,
        target=target,
        why=measured.detail or plan.actions[0].reason,
        actions=len(plan.actions),
        breached=measured.breached,
        value=frees or None,
        command=f"upkeeper run {name} {target}",
    )
