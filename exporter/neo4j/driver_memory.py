"""The driver's memory made smaller.

``neo4j.time`` (6.4, and before) builds a dictionary of the lengths of all months of 9,999 years when it is imported:
12 MB of the 31 that the driver adds to a process. They are computed instead.
"""

from calendar import monthrange
from types import ModuleType

_NAME = "_DAYS_IN_MONTH"


class DaysInMonth(dict[tuple[int, int], int]):
    """Days in a month, by year and month."""

    def __missing__(self, key: tuple[int, int]) -> int:
        return monthrange(*key)[1]


def shrink(neo4j_time: ModuleType) -> None:
    """Replaces that dictionary, if this version of the module has it."""
    if isinstance(getattr(neo4j_time, _NAME, None), dict):
        setattr(neo4j_time, _NAME, DaysInMonth())
