"""What the guards are asked about a run whose plan is known."""

from remediator.decide.remedies import Remedies
from remediator.guards.guard import Case, Subject
from remediator.model.run import Run
from remediator.model.task import Plan
from remediator.model.taskfacts import TaskFacts


def case_of(run: Run, plan: Plan, remedies: Remedies, facts: TaskFacts, now: float, *, approving: bool = False) -> Case:
    """The case of a run, by the settings of the remedy that asked for it; where there is none, of who may run it.

    approving: a person is about to approve the plan. Then it is by hand, as each attempt that an approval began.
    """
    settings = remedies.guarding(run.caller, run.task, run.target)
    return Case(
        Subject.of(run.host, run.task, run.target, settings, run_id=run.id),
        settings,
        now,
        plan,
        by_hand=approving or run.attempt > 0 or run.by_hand,
        autonomy=remedies.autonomy(run.caller),
        always_approve=facts.always_approve,
        repeatable=facts.repeatable,
        params=run.params,
    )
