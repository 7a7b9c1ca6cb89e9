"""The last run on the same target is too recent."""

from remediator.guards.guard import Case, Guard, time_left
from remediator.guards.history import History
from remediator.model.hold import Hold


def blocks(facts: History, case: Case) -> Hold | None:
    if not facts.past:
        return None
    until = facts.past[0].finished_at + case.settings.cooldown
    if until <= case.now:
        return None
    return Hold(f"the last run on this target is too recent; {time_left(until, case.now)} of cooldown left", until)


COOLDOWN = Guard("cooldown", History, blocks)
