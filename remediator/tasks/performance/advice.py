"""performance-advice: what is most worth doing, by what the tasks that would do it say themselves, and by what is known
already. It only looks.
"""

from collections.abc import Awaitable, Callable, Sequence

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.performance.facts import ALL, PERFORMANCE_ADVICE
from remediator.tasks.performance.rows import AdviceRow
from remediator.tasks.performance.signs import command, joined

WORTH = 3
NOTHING = "There is nothing worth doing now."


Signs = Callable[[], Awaitable[tuple[Sequence[AdviceRow], Sequence[str]]]]
"""What is worth doing by what is known already, and what could not be looked at."""


async def no_signs() -> tuple[Sequence[AdviceRow], Sequence[str]]:
    return (), ()


class PerformanceAdvice:
    """Asks tasks what they would do, and ranks the answers and the signs. Applies nothing."""

    facts = PERFORMANCE_ADVICE
    parameters = Parameters
    action_timeout = 60.0

    def __init__(self, tasks: Sequence[Task], signs: Signs = no_signs) -> None:
        self._tasks = tasks
        self._signs = signs

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
        signs, unseen = await self._signs()
        notes += unseen
        ranked = rank(joined(found, signs))
        rest = [f"{row.task} {row.target}" for row in ranked[WORTH:]]
        if rest:
            notes.insert(0, f"Worth doing as well: {', '.join(rest)}.")
        if not ranked:
            notes.insert(0, "Of what could be looked at nothing is worth doing now." if notes else NOTHING)
        return Plan(rows=ranked[:WORTH], notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False


def rank(found: Sequence[AdviceRow]) -> list[AdviceRow]:
    """What a critical alert fires for first, then what is over a limit, what frees most, what does most. Pure."""
    return sorted(
        found,
        key=lambda row: (not row.critical, not row.breached, -(row.value or 0), -row.actions, row.task, row.target),
    )


async def _advice(task: Task, target: str) -> AdviceRow | None:
    measured = await task.measure(target)
    plan = await task.plan(target)
    if not plan.actions and not measured.breached:
        return None
    frees = sum(action.estimated_bytes for action in plan.actions)
    name = task.facts.name
    why = [measured.detail or (plan.actions[0].reason if plan.actions else "it is over its limit")]
    if not plan.actions:  # a person must see why: what holds it back stands in the plan's notes
        why += ["it has nothing that it may do", *(note.rstrip(".") for note in plan.notes[:1])]
    return AdviceRow(
        task=name,
        target=target,
        why="; ".join(why),
        actions=len(plan.actions),
        breached=measured.breached,
        value=frees or None,
        command=command("run" if plan.actions else "plan", name, target),
    )
