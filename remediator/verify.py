"""The outcome of a run from what was measured and done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from remediator.store.runs import Outcome
from remediator.tasks import Measurement

MAX_REASON = 300
"""Characters of notes that a reason may repeat; the measurement's own word stands in for more."""


@dataclass(frozen=True)
class Conclusion:
    outcome: Outcome
    reason: str


def of_empty_plan(before: Measurement, notes: Sequence[str]) -> Conclusion:
    """A plan without actions is good news where nothing is wrong, and no help where something is."""
    if not before.breached:
        return Conclusion("nothing-to-do", before.detail or "nothing is over its limit")
    reason = "; ".join(notes)
    if len(reason) > MAX_REASON and before.detail:
        reason = before.detail
    return Conclusion("ineffective", reason or "the task found nothing that it may do about it")


def of_actions(
    before: Measurement, after: Measurement, improved: bool, states: Sequence[tuple[str, str]]
) -> Conclusion:
    """The outcome after the actions ran. states: state and detail of each action, in order."""
    failed = [detail for state, detail in states if state == "failed"]
    if failed:
        rest = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return Conclusion("failed", f"{failed[0]}{rest}")
    if improved and after.breached:
        return Conclusion(
            "ineffective", f"helped, not enough: {after.detail}" if after.detail else "helped, not enough"
        )
    if improved:
        return Conclusion("effective", after.detail)
    if not before.breached and not after.breached and all(state == "skipped" for state, _ in states):
        return Conclusion("nothing-to-do", "everything in the plan was gone or had changed since")
    return Conclusion(
        "ineffective", f"measured again, it is no better: {after.detail}" if after.detail else "no better"
    )
