"""A run of the same task on the same target is under way."""

from remediator.model.hold import Facts, Hold, Limits


class InFlight:
    name = "in-flight"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        if facts.in_flight is None:
            return None
        return Hold(f"run {facts.in_flight} of the same task on this target is under way")
