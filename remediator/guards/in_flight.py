"""A run of the same task on the same target is under way.

The database itself enforces this; the guard says so before a second one is tried.
"""

from remediator.guards.guard import Case, Guard
from remediator.guards.history import History
from remediator.model.hold import Block, Hold


def blocks(facts: History, case: Case) -> Hold | None:
    return None if facts.in_flight is None else _hold(facts.in_flight, facts.waits_for)


def _hold(run_id: int, approval_id: int | None = None) -> Hold:
    if run_id < 0:  # as a journal numbers the runs of the record (store/mirror.py)
        return Hold(
            f"run {-run_id} of the same task on this target was not over when the database that hosts share went away;"
            " it goes on once that is back"
        )
    if approval_id is None:
        return Hold(f"run {run_id} of the same task on this target is under way")
    return Hold(
        f"run {run_id} of the same task on this target waits for a person: "
        f"upkeeper approve {approval_id}, or upkeeper deny {approval_id}"
    )


def block_by(run_id: int) -> Block:
    """The block of a run that was stored after this one was judged, and before it was stored."""
    return Block.of(IN_FLIGHT.name, _hold(run_id))


def says(facts: History, case: Case) -> str:
    return "no run of the task on this target is under way"


IN_FLIGHT = Guard("in-flight", History, blocks, says, for_dry_runs=True)
