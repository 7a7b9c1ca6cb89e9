"""What would be decided about an alert, on the screen."""

from collections.abc import Mapping
from datetime import UTC, datetime

from exporter.base.spans import ahead
from remediator.model.shapes.explain import ExplainedPlan, ExplainedRemedy, ExplainView, PlannedDecisionView
from upkeeper.screens.cells import Cell, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.tasks import measurement, show_body
from upkeeper.screens.text import STYLES


def show_explanation(screen: Screen, view: ExplainView) -> None:
    """The remedies one after the other, the decision, and the plan."""
    screen.document(view)
    name = f"alert {view['alert_id']}" if view["alert_id"] is not None else "an alert with these labels"
    ended = "" if view["firing"] else "; it has ended, so this is what would be decided if it still fired"
    screen.line(Cell(name, "bold"), f": {_labels(view['labels'])}{ended}")
    if not view["remedies"]:
        screen.line("there are no remedies: alerts are recorded and nothing runs")
    for remedy in view["remedies"]:
        screen.line()
        _remedy(screen, remedy)
    screen.line()
    now = datetime.now(UTC)
    for decision in view["decisions"]:
        screen.line(Cell("decided now: ", "bold"), state(decision["verdict"]), _decision(decision))
    if view["waits_for"] is not None:
        screen.line(Cell("decided now: ", "bold"), f"nothing: {view['waits_for']}")
    if view["due_at"] is not None:
        screen.line(f"looked at again {ahead(view['due_at'], now)}")
    if view["plan"] is not None:
        screen.line()
        _plan(screen, view["plan"])


def _remedy(screen: Screen, remedy: ExplainedRemedy) -> None:
    if not remedy["matches"]:
        failed = next(each for each in remedy["matchers"] if not each["matches"])
        has = "the alert has no such label" if failed["value"] is None else f"the label is {failed['value']!r}"
        screen.line(Cell(remedy["name"], "bold"), " does not match: ", f"{failed['matcher']}, and {has}")
        return
    matchers = ", ".join(each["matcher"] for each in remedy["matchers"])
    screen.line(Cell(remedy["name"], "bold"), " matches: ", matchers)
    if remedy["no_target"] is not None:
        screen.line("  target       ", state("no-target"), f", {remedy['no_target']} ({remedy['target_by']})")
        return
    screen.line(f"  target       {remedy['target']}, by {remedy['target_by']}; task {remedy['task']}")
    screen.line("  autonomy     ", state(remedy["autonomy"]))
    if remedy["tried"]:
        screen.line(f"  tried        run {', '.join(map(str, remedy['tried']))} for this alert in the last day")
    for guard in remedy["guards"]:
        word = Cell("blocks", STYLES["blocked"]) if guard["blocks"] else Cell("passes", STYLES["up"])
        screen.line(f"  {guard['guard']:12} ", word, f", {guard['reason']}" if guard["reason"] else "")


def _decision(decision: PlannedDecisionView) -> str:
    guard = f"{decision['guard']}: " if decision["guard"] else ""
    return f", {guard}{decision['reason']}"


def _plan(screen: Screen, planned: ExplainedPlan) -> None:
    title = f"{planned['remedy']} would plan: {planned['task']} on {planned['target']}"
    if planned["measurement"] is None or planned["plan"] is None:
        screen.line(Cell(title, "bold"), f": that cannot be told, {planned['error']}")
        return
    screen.line(Cell(title, "bold"), ": ", *measurement(planned["measurement"]))
    show_body(screen, planned["task"], planned["plan"])


def _labels(labels: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()))
