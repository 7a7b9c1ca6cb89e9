"""How many runs are allowed in an hour, and in a day."""

from remediator.guards.guard import Case, Guard
from remediator.guards.history import History
from remediator.model.hold import DAY, HOUR, Hold


def blocks(facts: History, case: Case) -> Hold | None:
    if case.as_often_as_wanted:
        return None
    rate = case.settings.rate
    holds = []
    for span, allowed, unit in ((HOUR, rate.per_hour, "hour"), (DAY, rate.per_day, "day")):
        started = sorted((run.started_at for run in facts.past if run.started_at + span > case.now), reverse=True)
        if len(started) >= allowed:
            reason = f"{len(started)} runs on this target in the last {unit}, of {allowed} allowed"
            holds.append((started[allowed - 1] + span, reason))
    if not holds:
        return None
    until, reason = max(holds)
    return Hold(reason, until)


def says(facts: History, case: Case) -> str:
    rate = case.settings.rate
    hour, day = (sum(run.started_at + span > case.now for run in facts.past) for span in (HOUR, DAY))
    return f"{hour} of {rate.per_hour} runs on this target in the last hour, {day} of {rate.per_day} in the last day"


RATE = Guard("rate", History, blocks, says)
