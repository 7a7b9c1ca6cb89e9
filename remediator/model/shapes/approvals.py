"""Approvals: what waits for a person, and what became of it."""

from typing import Literal

from typing_extensions import TypedDict

from remediator.model.shapes.callers import CallerView
from remediator.model.shapes.plans import GuardView, PlanBody
from remediator.model.shapes.runs import MeasurementView
from remediator.model.words import ApprovalState


class ChangeView(TypedDict):
    """How one action of a plan differs from those of the plan that was approved before it."""

    change: Literal["gone", "added", "changed"]
    kind: str
    object: str


class ApprovalView(TypedDict):
    """A request that a person approves the plan of a run.

    ``caller`` asked for the run; ``why`` says why a person must approve. ``changes`` are there when the plan changed
    after an approval, so that this asks again. ``by`` is who answered; null where nobody did.
    """

    id: int
    run: int
    host: str
    task: str
    target: str
    caller: CallerView
    alert_id: int | None
    plan_hash: str
    actions: int
    estimated_bytes: int
    why: str
    changes: list[ChangeView]
    state: ApprovalState
    asked_at: str
    expires_at: str
    decided_at: str | None
    by: CallerView | None
    reason: str


class ApprovalDetail(ApprovalView):
    """The same with the plan that is to be approved, and the guards that would block it now beside the approval."""

    measurement: MeasurementView | None
    plan: PlanBody
    guards: list[GuardView]
