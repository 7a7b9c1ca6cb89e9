"""What a run is judged by before its plan is applied."""

from functools import partial

from remediator.guards.guard import Case, Guard, Sources
from remediator.guards.history import History
from remediator.guards.judge import Judge
from remediator.guards.registry import GUARDS
from remediator.model.hold import Hold
from remediator.store import runs
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import Stack, alert, settings


def too_much(facts: History, case: Case) -> Hold | None:
    """Blocks what would do more than two things. It sees none of that at the decision."""
    count = len(case.plan.actions) if case.plan is not None else 0
    return Hold(f"{count} actions are more than 2") if count > 2 else None


async def test_the_plan_is_judged_before_it_is_applied(stack: Stack) -> None:
    judge = Judge(Sources(stack.core._database), [*GUARDS, Guard("budget", History, too_much)])
    stack.core._runner._judge = stack.core.decider._judge = judge
    stack.clutter(3)
    await stack.receive(alert())
    (run,) = await stack.finished(1)
    assert (run["outcome"], run["reason"]) == ("blocked", "budget: 3 actions are more than 2")
    assert {action["state"] for action in run["actions"]} == {"planned"}
    assert stack.task.applied == []


async def test_a_run_is_judged_by_the_remedy_that_asked_for_it(stack: Stack) -> None:
    """Also where another remedy of the same task stands before it; and, once it is gone, by what is left."""
    seen: list[tuple[str, float]] = []

    def look(facts: History, case: Case) -> Hold | None:
        when = "decided" if case.plan is None else "planned"
        seen.append((when, case.settings.cooldown))
        return None

    stack.core._runner._judge = stack.core.decider._judge = Judge(
        Sources(stack.core._database), [Guard("look", History, look)]
    )
    other = REMEDY.model_copy(update={"name": "other", "match": ['alertname="Other"'], "cooldown": 7.0})
    stack.core.apply_settings(settings(stack.task, [other, REMEDY]))
    stack.clutter(1)
    await stack.receive(alert())
    await stack.finished(1)
    assert seen[:2] == [("decided", 60.0), ("planned", 60.0)]

    run = await stack.core._database.read(partial(runs.get, run_id=1))
    stack.core.apply_settings(settings(stack.task, [other]))
    assert stack.core._runner._settings(run).cooldown == 7.0
    stack.core.apply_settings(settings(stack.task, []))
    assert stack.core._runner._settings(run).cooldown == 900.0
