"""Several runs in a row that did not help: a person takes over."""

from itertools import takewhile

from remediator.guards.guard import Case, Guard, time_left
from remediator.guards.history import History
from remediator.model.hold import Hold


def blocks(facts: History, case: Case) -> Hold | None:
    """Open when so many runs in a row, none before it was last closed by hand, did not help, and the last of them is
    not older than the reset time.
    """
    if case.as_often_as_wanted:
        return None
    breaker = case.settings.breaker
    counted = [run for run in facts.past if run.finished_at > facts.closed_at][: breaker.failures]
    if len(counted) < breaker.failures or any(run.helped for run in counted):
        return None
    opened = counted[0].finished_at
    until = opened + breaker.reset_after
    if until <= case.now:
        return None
    reason = (
        f"the last {breaker.failures} runs on this target did not help; a person should look"
        f" (closes by itself in {time_left(until, case.now)})"
    )
    return Hold(reason, until, since=opened)


def says(facts: History, case: Case) -> str:
    breaker = case.settings.breaker
    since = [run for run in facts.past if run.finished_at > facts.closed_at]
    failed = sum(1 for _ in takewhile(lambda run: not run.helped, since))
    return f"{failed} runs in a row on this target did not help; {breaker.failures} would open it"


BREAKER = Guard("breaker", History, blocks, says)
