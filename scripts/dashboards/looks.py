"""What colours and texts values get."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Steps = Sequence[tuple[str, float | None]]
"""Colours, each with the value from which it holds; None for the first."""
Mappings = Mapping[float, tuple[str, str]]
"""A text and a colour for a value."""

NEUTRAL: Steps = (("green", None),)
ANY_IS_BAD: Steps = (("green", None), ("red", 1))
ANY_IS_ODD: Steps = (("green", None), ("orange", 1))
OVER_LIMIT: Steps = (("green", None), ("red", 1))
"""For a value divided by its limit, so that the 1 is what the config says."""
BELOW_LIMIT: Steps = (("red", None), ("green", 0))
"""For a value of which its limit was subtracted."""

UP: Mappings = {0: ("down", "red"), 1: ("up", "green")}
SUCCESS: Mappings = {0: ("failed", "red"), 1: ("succeeded", "green")}
YES_IS_BAD: Mappings = {0: ("no", "green"), 1: ("yes", "red")}
YES_IS_ODD: Mappings = {0: ("no", "green"), 1: ("yes", "orange")}
YES_IS_GOOD: Mappings = {0: ("no", "red"), 1: ("yes", "green")}
YES_OR_NO: Mappings = {0: ("no", "blue"), 1: ("yes", "purple")}


def thresholds(steps: Steps) -> Json:
    """The steps in Grafana's form."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": value} for colour, value in steps]}


def mapped(mappings: Mappings) -> list[Json]:
    """The mappings in Grafana's form."""
    options = {f"{value:g}": {"text": text, "color": colour} for value, (text, colour) in mappings.items()}
    return [{"type": "value", "options": options}]
