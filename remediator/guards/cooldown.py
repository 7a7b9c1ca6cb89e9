"""The last run on the same target is too recent."""

from exporter.base.units import format_duration
from remediator.guards.guard import Case, Guard, time_left
from remediator.guards.history import History
from remediator.model.hold import Hold


def blocks(facts: History, case: Case) -> Hold | None:
    if case.as_often_as_wanted:
        return None
    if not facts.past:
        return None
    until = facts.past[0].finished_at + case.settings.cooldown
    if until <= case.now:
        return None
    return Hold(f"the last run on this target is too recent; {time_left(until, case.now)} of cooldown left", until)


def says(facts: History, case: Case) -> str:
    if not facts.past:
        return "there was no run on this target that counts"
    ago = format_duration(max(0, round(case.now - facts.past[0].finished_at)))
    return f"the last run on this target ended {ago} ago; {format_duration(case.settings.cooldown)} are enough"


COOLDOWN = Guard("cooldown", History, blocks, says)
