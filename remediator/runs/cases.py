"""What the guards are asked about a run whose plan is known."""

from remediator.decide.remedies import Remedies
from remediator.guards.guard import Case, Subject
from remediator.model.run import Run
from remediator.model.task import Plan
from remediator.model.taskfacts import TaskFacts


def case_of(run: Run, plan: Plan, remedies: Remedies, facts: TaskFacts, now: float) -> Case:
    """The case of a run, by the settings of the remedy that asked for it; where there is none, of who may run it."""
    return Case(
        Subject(run.host, run.task, run.target, run_id=run.id),
        remedies.named(run.remedy) or remedies.settings(run.task, run.target),
        now,
        plan,
        autonomy=remedies.autonomy(run.caller),
        always_approve=facts.always_approve,
    )
