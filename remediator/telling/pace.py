"""How often people are told. Pure."""

from collections.abc import Sequence

HOUR = 3600.0
FREELY = 6
"""Messages in an hour that come as soon as there is something to say."""
APART = 30.0
"""Seconds between two of those."""
CROWDED = 600.0
"""Seconds between two messages once there were more: what comes meanwhile is told together."""


def next_at(sent: Sequence[float], now: float) -> float:
    """When the next message may go, which may be past. sent: when those of the last hour went (Unix seconds)."""
    recent = [at for at in sent if now - HOUR < at <= now]
    if not recent:
        return now
    return max(recent) + (APART if len(recent) < FREELY else CROWDED)
