"""Planning, and starting runs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, format_time_ms
from remediator.api.operations import NO_PARAMS
from remediator.control.choosing import chosen_task
from remediator.decide.means import Means
from remediator.guards.guard import Case, Subject
from remediator.guards.in_flight import block_by
from remediator.model.approval import plan_hash
from remediator.model.caller import Caller
from remediator.model.errors import refused, unavailable
from remediator.model.hold import Block
from remediator.model.run import Request
from remediator.model.shapes.plans import GuardView, PartPlanView, PlanView
from remediator.model.shapes.runs import RunView
from remediator.model.task import LOOK_TIMEOUT, Plan, Task
from remediator.model.tasks import made
from remediator.runs.targets import meant_by
from remediator.store import pages, runs


def guard_view(block: Block) -> GuardView:
    """A block in the API's shape."""
    until = None if block.until is None else format_time_ms(block.until)
    return {"guard": block.guard, "reason": block.reason, "until": until}


class Running:
    """Plans and starts runs, subject to the same guards as runs that an alert asks for.

    caller: who asks for them. submit: hands a stored run to the engine. hand_over: asks another host for a run, as
    Fleet does.
    """

    def __init__(
        self,
        means: Means,
        caller: Callable[[], Caller],
        submit: Callable[[int], Awaitable[None]],
        hand_over: Callable[..., Awaitable[RunView]],
    ) -> None:
        self._database = means.database
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._clock = means.clock
        self._caller = caller
        self._submit = submit
        self._hand_over = hand_over

    async def plan(self, task: str, target: str, params: Mapping[str, Any] = NO_PARAMS) -> PlanView:
        """What a task would do now, and which guards would block it. Changes nothing and records nothing."""
        found = await chosen_task(self._tasks(), task, target, params)
        if found.facts.parts:
            return await self._plan_of_parts(found, target)
        try:
            async with asyncio.timeout(LOOK_TIMEOUT):
                measurement = await found.measure(target)
                plan = await found.plan(target, params)
        except UpkeeperError as error:
            raise unavailable(str(error)) from error
        except TimeoutError as error:
            raise unavailable(f"planning {task} took too long and was given up") from error
        judgement = await self._judge.judge(self._case(found, target, plan=plan, params=params))
        return {
            "task": task,
            "target": target,
            "measurement": measurement.model_dump(mode="json"),  # type: ignore[typeddict-item]
            "plan": plan.model_dump(mode="json"),  # type: ignore[typeddict-item]
            "plan_hash": self._hash(task, target, plan, params),
            "guards": [guard_view(block) for block in judgement.blocks],
        }

    def _hash(self, task: str, target: str, plan: Plan, params: Mapping[str, Any] = NO_PARAMS) -> str:
        return plan_hash(plan.actions, host=self._database.host, task=task, target=target, params=params)

    async def _plan_of_parts(self, composite: Task, target: str) -> PlanView:
        """The plans of all its parts, made at once; what of it there is not is a note."""
        plan = await composite.plan(target)
        found = await asyncio.gather(*(self._plans_of(part.task) for part in composite.facts.parts))
        children = [view for views, _ in found for view in views]
        breached = [view for view in children if view["measurement"]["breached"]]
        detail = f"{counted(len(children), 'run')}, {len(breached)} of them on something that is not well"
        judgement = await self._judge.judge(self._case(composite, target))
        notes = [note for _, notes in found for note in notes]
        return {
            "task": composite.facts.name,
            "target": target,
            "measurement": {"breached": bool(breached), "values": {}, "detail": detail},
            "plan": plan.model_copy(update={"notes": notes}).model_dump(mode="json"),  # type: ignore[typeddict-item]
            "plan_hash": self._hash(composite.facts.name, target, plan),
            "guards": [guard_view(block) for block in judgement.blocks],
            "children": children,
        }

    async def _plans_of(self, name: str) -> tuple[list[PartPlanView], list[str]]:
        """The plan of a part on each of its targets, and what is to be said beside."""
        task = await made(self._tasks(), name)
        if task is None:
            return [], [f"{name} is left out: there is no such task yet"]
        try:
            targets = await meant_by(task, None)
        except UpkeeperError as error:
            return [], [f"{name} is left out: its targets cannot be told: {error}"]
        if not targets:
            return [], [f"{name} is left out: nothing of its kind is configured"]
        views: list[PartPlanView] = []
        notes: list[str] = []
        for target in targets:
            try:
                view = await self.plan(name, target)
                views += view["children"] if "children" in view else [_as_part(view)]
                notes += view["plan"]["notes"] if "children" in view else []
            except UpkeeperError as error:
                notes.append(f"{name} on {target} cannot be planned now: {error}")
        return views, notes

    async def start_run(
        self,
        task: str,
        target: str,
        dry_run: bool = False,
        params: Mapping[str, Any] = NO_PARAMS,
        host: str | None = None,
    ) -> RunView:
        """Queues a run, here or on another host."""
        if host is not None and host != self._database.host:
            return await self._hand_over(host, task, target, dry_run=dry_run, params=params)
        found = await chosen_task(self._tasks(), task, target, params)
        case = self._case(found, target, dry_run=dry_run)
        block = (await self._judge.judge(case)).first
        if block is None:
            request = Request(
                host=self._database.host,
                task=task,
                target=target,
                caller=self._caller(),
                dry_run=dry_run,
                params=params,
            )
            run_id, new = await self._database.write(
                partial(runs.create_unless_in_flight, request=request, now=case.now)
            )
            block = None if new else block_by(run_id)
        if block is not None:
            raise refused(block.guard, block.reason)
        await self._submit(run_id)
        return await self._database.read(partial(pages.one_run, run_id=run_id))

    def _case(
        self,
        task: Task,
        target: str,
        *,
        plan: Plan | None = None,
        dry_run: bool = False,
        params: Mapping[str, Any] = NO_PARAMS,
    ) -> Case:
        """What the guards are asked about a run that a person asks for, who need not approve it beside that."""
        settings = self._remedies().settings(task.facts.name, target)
        subject = Subject.of(self._database.host, task.facts.name, target, settings)
        return Case(
            subject,
            settings,
            self._clock(),
            plan,
            dry_run,
            by_hand=self._caller().by_hand,
            always_approve=task.facts.always_approve,
            repeatable=task.facts.repeatable,
            params=params,
        )


def _as_part(view: PlanView) -> PartPlanView:
    keys = PartPlanView.__annotations__
    return {key: value for key, value in view.items() if key in keys}  # type: ignore[return-value]
