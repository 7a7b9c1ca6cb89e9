"""The outcome of several runs together. Pure."""

from collections.abc import Iterable

from remediator.model.words import Outcome

WORST_FIRST: tuple[Outcome, ...] = (
    "failed",
    "ineffective",
    "cancelled",
    "inconclusive",
    "denied",
    "expired",
    "blocked",
    "effective",
    "planned",
    "nothing-to-do",
)
WELL: frozenset[Outcome] = frozenset({"effective", "planned", "nothing-to-do"})
"""Outcomes of what went as it should."""
HELD_BACK: frozenset[Outcome] = frozenset({"blocked", "denied", "expired", "cancelled"})
"""Outcomes of what was not to be."""


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of them; of none, that there was nothing to do."""
    found = set(outcomes)
    return next((outcome for outcome in WORST_FIRST if outcome in found), "nothing-to-do")
