"""So many runs are allowed in an hour, and in a day."""

from remediator.model.hold import DAY, HOUR, Facts, Hold, Limits


class RateLimit:
    name = "rate"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        holds = []
        for span, allowed, unit in ((HOUR, limits.rate.per_hour, "hour"), (DAY, limits.rate.per_day, "day")):
            started = sorted((run.started_at for run in facts.past if run.started_at + span > facts.now), reverse=True)
            if len(started) >= allowed:
                reason = f"{len(started)} runs on this target in the last {unit}, of {allowed} allowed"
                holds.append((started[allowed - 1] + span, reason))
        if not holds:
            return None
        until, reason = max(holds)
        return Hold(reason, until)
