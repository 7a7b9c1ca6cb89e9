"""Explanations: what would be done for an alert, and why."""

from typing_extensions import TypedDict

from remediator.model.shapes.plans import PlanBody
from remediator.model.shapes.runs import MeasurementView
from remediator.model.words import Verdict


class MatcherView(TypedDict):
    """A matcher of a remedy against an alert's labels. ``value`` is that of its label; null where there is none."""

    matcher: str
    matches: bool
    value: str | None


class GuardVerdictView(TypedDict):
    """What a guard says: why it blocks, and until when, or what it goes by where it does not."""

    guard: str
    blocks: bool
    reason: str
    until: str | None


class ExplainedRemedy(TypedDict):
    """A remedy and an alert. ``no_target`` is why it has none, where it matches; ``tried`` are its runs for the alert
    in the last day, newest first. Guards are asked only where there is a target.
    """

    name: str
    matches: bool
    matchers: list[MatcherView]
    task: str
    autonomy: str
    target: str | None
    target_by: str | None
    no_target: str | None
    guards: list[GuardVerdictView]
    tried: list[int]


class PlannedDecisionView(TypedDict):
    """What would be decided now."""

    remedy: str | None
    target: str | None
    verdict: Verdict
    guard: str | None
    reason: str


class ExplainedPlan(TypedDict):
    """What the run of a remedy would do, or in ``error`` why that cannot be told."""

    remedy: str
    task: str
    target: str
    error: str | None
    measurement: MeasurementView | None
    plan: PlanBody | None


class ExplainView(TypedDict):
    """What would be decided now about an alert, and why. ``alert_id`` is null where labels were given.

    ``remedies`` are all of them, in their order. ``due_at`` is when the alert would be looked at again; null: when
    something happens. ``waits_for`` says why nothing is decided, where that is so.
    """

    alert_id: int | None
    firing: bool
    labels: dict[str, str]
    remedies: list[ExplainedRemedy]
    decisions: list[PlannedDecisionView]
    due_at: str | None
    waits_for: str | None
    plan: ExplainedPlan | None
