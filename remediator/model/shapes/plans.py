"""Plans, and what the guards say of them."""

from collections.abc import Mapping
from typing import Any, NotRequired

from typing_extensions import TypedDict

from remediator.model.shapes.runs import MeasurementView


class PlannedActionView(TypedDict):
    """An action of a plan that nothing has been done about. ``items``: as of an action of a run."""

    kind: str
    object: str
    reason: str
    estimated_bytes: int
    items: int
    params: Mapping[str, Any]
    identity: str | None


class PlanBody(TypedDict):
    """What a task would do, what it has found, as a table of its own, and what it leaves alone and why."""

    actions: list[PlannedActionView]
    rows: list[dict[str, Any]]
    notes: list[str]


class GuardView(TypedDict):
    """A guard that would block the run, why, and when that ends by itself; null where an event ends it."""

    guard: str
    reason: str
    until: NotRequired[str | None]


class PartPlanView(TypedDict):
    """The plan of a run that would be a part of a composite."""

    task: str
    target: str
    measurement: MeasurementView
    plan: PlanBody
    plan_hash: str
    guards: list[GuardView]


class PlanView(TypedDict):
    """A plan with the measurement it was made from and the guards that would block its run. ``plan_hash`` is the same
    for another plan of the same actions at the same place. Of a composite: its parts, and in ``children`` the plan of
    each of their runs.
    """

    task: str
    target: str
    measurement: MeasurementView
    plan: PlanBody
    plan_hash: str
    guards: list[GuardView]
    children: NotRequired[list[PartPlanView]]
