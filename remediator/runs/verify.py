"""The outcome of a run from what was measured and done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.base.text import counted
from remediator.model.task import Measurement, Plan
from remediator.model.words import Outcome

MAX_REASON = 300
"""Characters of notes that a reason may repeat; the measurement's own word stands in for more, and for a table."""


@dataclass(frozen=True)
class Conclusion:
    outcome: Outcome
    reason: str


def of_empty_plan(before: Measurement, plan: Plan) -> Conclusion:
    """A plan without actions is a success if nothing is wrong, and ineffective if something is."""
    if not before.breached:
        return Conclusion("nothing-to-do", before.detail or "nothing is over its limit")
    reason = "; ".join(plan.notes)
    if before.detail and (plan.rows or len(reason) > MAX_REASON):
        reason = before.detail
    return Conclusion("ineffective", reason or "the task found nothing that it may do about it")


def of_actions(
    before: Measurement,
    after: Measurement,
    improved: bool,
    states: Sequence[tuple[str, str]],
    *,
    all_or_nothing: bool = False,
) -> Conclusion:
    """The outcome after the actions ran. states: state and detail of each action, in order.

    Within its limit, a target has had all it needed once what was due is done, whatever that freed. An action that
    failed, or did so in part, is named, and fails the run where nothing was done: one stuck file does not undo what the
    others gained, unless it is all or nothing.
    """
    failed = [_stuck(state, detail) for state, detail in states if state in ("failed", "partial")]
    done = any(state in ("done", "partial") for state, _ in states)
    if failed and (all_or_nothing or not done):
        return Conclusion("failed", _named(failed))
    stuck = f"; but {_named(failed)}" if failed else ""
    if after.breached:
        return Conclusion("ineffective", _short_of(after, improved) + stuck)
    if done or improved:
        return Conclusion("effective", (after.detail or "within its limit") + stuck)
    return Conclusion("nothing-to-do", "everything in the plan was gone or had changed since")


def of_cancelled(why: str, states: Sequence[tuple[str, str]], after: Measurement | None = None) -> Conclusion:
    """The outcome of a run that a person has cancelled while it acted. after: None where it could not be measured.

    It is never called effective, nor ineffective: what would have come of all of it nobody knows.
    """
    done = sum(state in ("done", "partial") for state, _ in states)
    failed = [_stuck(state, detail) for state, detail in states if state in ("failed", "partial")]
    stuck = f"; {_named(failed)}" if failed else ""
    now = f"; now {after.detail}" if after is not None and after.detail else ""
    return Conclusion("cancelled", f"{why}; {done} of {counted(len(states), 'action')} had been done{stuck}{now}")


def _short_of(after: Measurement, improved: bool) -> str:
    word = "helped, not enough" if improved else "measured again, it is no better"
    return f"{word}: {after.detail}" if after.detail else word


def _stuck(state: str, detail: str) -> str:
    return f"only in part: {detail}" if state == "partial" else detail


def _named(failed: Sequence[str]) -> str:
    rest = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{failed[0]}{rest}"
