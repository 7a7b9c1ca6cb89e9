"""Figures of many measurements."""

from collections.abc import Sequence
from math import ceil


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that ``percent`` of them do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values to take a percentile of")
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
