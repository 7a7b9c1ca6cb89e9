"""A person must approve the plan first.

Only a plan can be approved, so this guard has nothing to say before there is one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from remediator.guards.guard import Case, Facts, Guard, Sources, Subject
from remediator.model.approval import former_plan_hash, plan_hash
from remediator.model.hold import Hold
from remediator.model.task import Action
from remediator.store import approvals


@dataclass(frozen=True)
class Approved(Facts):
    """The hash of the plan that a person has approved for the run that is judged; None for none."""

    plan_hash: str | None = None

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        ids = [subject.run_id for subject in subjects if subject.run_id is not None]
        found = await sources.database.read(partial(approvals.approved, run_ids=ids)) if ids else {}
        return {subject: cls(found.get(subject.run_id or 0)) for subject in subjects}


def blocks(facts: Approved, case: Case) -> Hold | None:
    """An empty plan needs nobody."""
    if case.plan is None or not case.plan.actions:
        return None
    why = _why(facts, case)
    if why is None or (facts.plan_hash is not None and facts.plan_hash in _hashes(case, case.plan.actions)):
        return None
    if facts.plan_hash is not None:
        return Hold(f"the plan has changed since it was approved; {why}", asks=True)
    return Hold(why, asks=True)


def _hashes(case: Case, actions: Sequence[Action]) -> Collection[str]:
    """By which the plan may have been approved: facts are those of its own run, so the former one is of this place."""
    host, task, target = case.subject.place
    return plan_hash(actions, host=host, task=task, target=target, params=case.params), former_plan_hash(actions)


def _why(facts: Approved, case: Case) -> str | None:
    """Why a person must approve; None where nobody must."""
    if case.always_approve:
        return f"a person must approve each plan of {case.subject.task}"
    asked_for_by_hand = case.by_hand and facts.plan_hash is None  # later attempts are those that an approval began
    if case.plan is not None and case.plan.asks and not asked_for_by_hand:
        return case.plan.asks
    if case.autonomy != "auto":
        return "a person must approve what its remedy would do"
    return None


def says(facts: Approved, case: Case) -> str:
    if _why(facts, case) is None:
        return "nobody has to approve its plan"
    if case.plan is None:
        return f"{_why(facts, case)}, once there is a plan"
    return "a person has approved this plan" if case.plan.actions else "an empty plan needs nobody"


APPROVAL = Guard("approval", Approved, blocks, says)
