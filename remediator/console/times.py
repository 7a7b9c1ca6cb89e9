"""Whether a page shows times as they are, or how long ago they were: a word in its address says so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

_NAME, _EXACT = "times", "exact"


@dataclass(frozen=True)
class Times:
    """other: the query of the same page with the other of the two."""

    exact: bool
    other: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        exact = query.get(_NAME) == _EXACT
        rest = [(name, value) for name, value in query.items() if name != _NAME]
        return cls(exact, "?" + urlencode(rest if exact else [*rest, (_NAME, _EXACT)]))
