"""One thing that was looked at, and what became of it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "wrong", "unknown"]
"""``missing``: it is not there; ``wrong``: it is there and does not do its work; ``unknown``: it could not be seen."""

BAD = frozenset({"missing", "wrong"})


@dataclass(frozen=True, slots=True)
class Check:
    """area: ``host``, ``prometheus`` or ``alertmanager``. remedy: what a person does about it; empty when it is ok."""

    area: str
    name: str
    state: State
    detail: str
    remedy: str = ""
