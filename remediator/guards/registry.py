"""All guards, in the order in which they are named when several block."""

from collections.abc import Sequence
from typing import Any

from remediator.guards.approval import APPROVAL
from remediator.guards.breaker import BREAKER
from remediator.guards.budget import BUDGET
from remediator.guards.concurrency import CONCURRENCY
from remediator.guards.cooldown import COOLDOWN
from remediator.guards.gate import GATE
from remediator.guards.guard import Guard
from remediator.guards.in_flight import IN_FLIGHT
from remediator.guards.paused import PAUSED
from remediator.guards.rate import RATE
from remediator.guards.storm import STORM
from remediator.guards.window import WINDOW

GUARDS: Sequence[Guard[Any]] = (
    PAUSED,
    IN_FLIGHT,
    BREAKER,
    COOLDOWN,
    RATE,
    WINDOW,
    GATE,
    CONCURRENCY,
    BUDGET,
    STORM,
    APPROVAL,
)
