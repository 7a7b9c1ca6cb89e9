"""Guards: reasons that can block a run. Each is small and pure; the facts, the time among them, are read beforehand.

Guards fail closed: one that cannot be evaluated blocks.
"""

from collections.abc import Sequence

import structlog

from remediator.guards.breaker import BreakerOpen
from remediator.guards.cooldown import Cooldown
from remediator.guards.guard import Guard
from remediator.guards.in_flight import InFlight
from remediator.guards.paused import Paused
from remediator.guards.rate import RateLimit
from remediator.model.hold import Block, Facts, Hold, Limits

log = structlog.get_logger(__name__)


GUARDS: Sequence[Guard] = (Paused(), InFlight(), BreakerOpen(), Cooldown(), RateLimit())


UNKNOWN_FOR = 60.0
"""Seconds after which what could not be evaluated is tried again."""


def evaluate(facts: Facts, limits: Limits, guards: Sequence[Guard] = GUARDS) -> list[Block]:
    """Every guard that blocks, in order. Empty means that the run may happen."""
    blocks = []
    for guard in guards:
        try:
            hold = guard.blocks(facts, limits)
        except Exception as error:
            log.exception("guard failed", guard=guard.name)
            reason = f"the guard could not be evaluated: {type(error).__name__}"
            hold = Hold(reason, facts.now + UNKNOWN_FOR)
        if hold is not None:
            blocks.append(Block(guard.name, hold.reason, hold.until))
    return blocks


def over_at(blocks: Sequence[Block]) -> float | None:
    """When the last of the blocks ends by itself (Unix seconds); None when one of them needs an event."""
    ends = [block.until for block in blocks]
    return None if None in ends else max((end for end in ends if end is not None), default=None)
