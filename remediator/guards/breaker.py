"""Runs that did not help, several in a row, hand over to a person."""

from remediator.config.remedies import Breaker
from remediator.guards.guard import time_left
from remediator.model.hold import Facts, Hold, Limits


class BreakerOpen:
    name = "breaker"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        since = breaker_open_since(facts, limits.breaker)
        if since is None:
            return None
        until = since + limits.breaker.reset_after
        return Hold(
            f"the last {limits.breaker.failures} runs on this target did not help; a person should look"
            f" (closes by itself in {time_left(until, facts.now)})",
            until,
        )


def breaker_open_since(facts: Facts, breaker: Breaker) -> float | None:
    """When the breaker opened (Unix seconds), or None while it is closed.

    It is open when so many runs in a row, none before it was last closed by hand, did not help, and the last of them
    is not older than the reset time.
    """
    counted = [run for run in facts.past if run.finished_at > facts.breaker_closed_at][: breaker.failures]
    if len(counted) < breaker.failures or any(run.helped for run in counted):
        return None
    opened = counted[0].finished_at
    return opened if facts.now < opened + breaker.reset_after else None
