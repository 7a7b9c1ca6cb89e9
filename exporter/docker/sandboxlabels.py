"""The labels by which everything of a sandbox is known, whoever made it and whatever became of him."""

from collections.abc import Mapping

SANDBOX = "upkeeper.sandbox"
"""Its name. What carries it is no part of what is looked after."""
PURPOSE = "upkeeper.sandbox.purpose"
"""What it is for, in words that are the same each time: ``disaster-recovery-test pa``."""
UNTIL = "upkeeper.sandbox.until"
"""Unix seconds in which it ends at the latest; what is there afterwards was left behind."""


def ends_at(labels: Mapping[str, str]) -> float:
    """Unix seconds in which it ends at the latest, by its labels; 0 where they do not tell."""
    text = labels.get(UNTIL, "")
    return float(text) if text.isdecimal() else 0.0
