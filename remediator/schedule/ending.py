"""What becomes of a due time when its runs have ended. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from remediator.model.job import DueTime, JobRecord
from remediator.model.outcomes import WELL, together
from remediator.model.words import Outcome


def ended(due: DueTime, outcomes: Mapping[int, Outcome | None]) -> Outcome | None:
    """The outcome of its runs together; None while one is under way.

    outcomes: of each run that is in the record. One that is not has ended, longer ago than the record is kept.
    """
    found = [outcomes[run_id] for run_id in due.run_ids if run_id in outcomes]
    if None in found:
        return None
    if not found:
        return "inconclusive"
    worst = together(outcome for outcome in found if outcome is not None)
    left_out = any(each.run_id is None for each in due.targets)
    return together([worst, "blocked"]) if left_out else worst


def after_end(record: JobRecord, due: DueTime, outcome: Outcome, now: float, *, in_part: bool) -> JobRecord:
    """The job's record once a due time of it has ended. What failed, or was held back, is not done.

    in_part: it has parts, of which some went well. Then it is done: others may never be, such as Docker's on a machine
    without.
    """
    well = outcome in WELL
    done = well or in_part or outcome == "ineffective"
    newest = record.last_due_at is None or due.due_at >= record.last_due_at
    return replace(
        record,
        last_outcome=outcome if newest else record.last_outcome,
        last_success_at=now if well else record.last_success_at,
        done_until=max(record.done_until, due.due_at) if done else record.done_until,
    )
