"""How much may be removed by one plan, and in a day.

A plan over the budget is blocked as a whole, not cut to fit: that it is so large is a reason to look at it, and what
would be left out of it nobody has chosen. What is counted is what was planned for each action that was done, or what it
freed if that was more.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import sqlalchemy as sa

from exporter.base.units import format_bytes
from remediator.guards.guard import Case, Facts, Guard, Sources, Subject, time_left
from remediator.model.hold import DAY, Block, Hold
from remediator.model.task import Plan
from remediator.store import spending
from remediator.store.spending import Spent


@dataclass(frozen=True)
class Spending(Facts):
    """What the task's runs on the host, on any target, have removed in the last day, and what those under way still
    may: newest first. None where it was not asked for.
    """

    spent: Sequence[Spent] | None = None

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        counted = {subject for subject in subjects if _counts_days(subject)}
        found = {subject: cls() for subject in subjects}
        if counted:
            found |= await sources.database.read(partial(cls._read, subjects=counted, now=now))
        return found

    @classmethod
    def _read(cls, connection: sa.Connection, subjects: Collection[Subject], now: float) -> Mapping[Subject, Self]:
        return {
            subject: cls(spending.of_task(connection, subject.host, subject.task, now - DAY, subject.run_id))
            for subject in subjects
        }


def _counts_days(subject: Subject) -> bool:
    budget = subject.settings.budget
    return budget.bytes_per_day is not None or budget.items_per_day is not None


def blocks(facts: Spending, case: Case) -> Hold | None:
    budget, plan = case.settings.budget, case.plan
    ways = (
        ("bytes", budget.bytes_per_run, budget.bytes_per_day, format_bytes),
        ("items", budget.items_per_run, budget.items_per_day, _objects),
    )
    holds = [
        hold
        for what, per_run, per_day, said in ways
        for hold in (_of_run(what, plan, per_run, said), _of_day(what, facts, plan, per_day, said, case.now))
        if hold is not None
    ]
    return max(holds, key=lambda hold: (hold.until is None, hold.until), default=None)


def _objects(count: float) -> str:
    return f"{count:.0f} objects"


Said = Callable[[float], str]


def _of_run(what: str, plan: Plan | None, allowed: int | None, said: Said) -> Hold | None:
    planned = _planned(what, plan)
    if allowed is None or planned <= allowed:
        return None
    return Hold(f"the plan is about {said(planned)}, of {said(allowed)} allowed in one run; nothing of it is done")


def _of_day(what: str, facts: Spending, plan: Plan | None, allowed: int | None, said: Said, now: float) -> Hold | None:
    if allowed is None:
        return None
    if facts.spent is None:
        raise LookupError("what was removed was not counted")
    planned = _planned(what, plan)
    total = planned + sum(getattr(each, what) for each in facts.spent)
    # Without a plan it is held back by what is spent alone: when nothing is left.
    if total <= allowed if plan is not None else total < allowed:
        return None
    if planned > allowed:
        return Hold(f"the plan is about {said(planned)}, of {said(allowed)} allowed in a day; nothing of it is done")
    until = _room_at(what, facts.spent, total - allowed, enough=plan is not None)
    spent = f"{said(total - planned)} of {said(allowed)} allowed in any day are spent"
    wants = f", and the plan is about {said(planned)}" if planned else ""
    left = f"; there is room in {time_left(until, now)}" if until is not None else ""
    return Hold(f"{spent}{wants}{left}", until)


def _planned(what: str, plan: Plan | None) -> int:
    if plan is None:
        return 0
    return sum(max(0, action.estimated_bytes) if what == "bytes" else action.items for action in plan.actions)


def _room_at(what: str, spent: Sequence[Spent], over: int, *, enough: bool) -> float | None:
    """When so much of what was spent is a day old that the rest is within the budget. enough: to be at it will do."""
    for each in reversed(spent):
        if each.at is None:
            return None  # a run under way: its end is waited for
        over -= getattr(each, what)
        if over < 0 or (enough and over == 0):
            return each.at + DAY
    return None


def over_by_now(connection: sa.Connection, case: Case) -> Block | None:
    """The budget asked once more, in the transaction in which a run begins to act: of two that were judged at the same
    moment the second sees what the first is about to remove. None where it may act.
    """
    facts = Spending._read(connection, [case.subject], case.now) if _counts_days(case.subject) else {}
    hold = blocks(facts.get(case.subject, Spending()), case)
    return None if hold is None else Block.of(BUDGET.name, hold)


def says(facts: Spending, case: Case) -> str:
    budget, plan = case.settings.budget, case.plan
    limits = {
        "a run": (budget.bytes_per_run, budget.items_per_run, ()),
        "a day": (budget.bytes_per_day, budget.items_per_day, facts.spent or ()),
    }
    parts = [
        f"{said(_planned(what, plan) + sum(getattr(each, what) for each in spent))} of {said(allowed)} {span}"
        for span, (size, items, spent) in limits.items()
        for what, allowed, said in (("bytes", size, format_bytes), ("items", items, _objects))
        if allowed is not None
    ]
    if not parts:
        return "any number of bytes and objects is allowed"
    return f"{', '.join(parts)}{'' if plan is not None else ', before there is a plan'}"


BUDGET = Guard("budget", Spending, blocks, says)
