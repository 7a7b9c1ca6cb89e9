"""The last run on the same target is too recent."""

from remediator.guards.guard import time_left
from remediator.model.hold import Facts, Hold, Limits


class Cooldown:
    name = "cooldown"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        if not facts.past:
            return None
        until = facts.past[0].finished_at + limits.cooldown
        if until <= facts.now:
            return None
        return Hold(f"the last run on this target is too recent; {time_left(until, facts.now)} of cooldown left", until)
