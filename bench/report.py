"""What a benchmark hands back, and how it is shown.

A benchmark is a module of this package with ``async def run() -> AsyncIterator[Result]``. It raises Skipped when its
peer is not installed; any other exception means that something could not be measured.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Relation = Literal["<=", "<", ">="]

_HOLDS: Mapping[Relation, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
}


class Skipped(Exception):
    """A benchmark cannot run here. The message says why, and what to install."""


@dataclass(frozen=True)
class Goal:
    """What a figure should be. of: ``ratio``, ours divided by the peer's, or ``ours``, in the result's unit."""

    of: Literal["ratio", "ours"]
    relation: Relation
    limit: float

    def __str__(self) -> str:
        return f"{self.of} {self.relation} {self.limit:g}"


@dataclass(frozen=True)
class Result:
    """One figure of ours, beside the same figure of a peer where there is one."""

    name: str
    ours: float
    peer: float | None
    """The same figure of what ``peer_name`` names; None where Upkeeper is measured by itself."""
    unit: str
    goal: Goal | None
    command: str
    """How to measure it again."""
    versions: Mapping[str, str]
    """Versions of everything that took part, ours included."""
    peer_name: str = ""
    notes: Sequence[str] = field(default=())
    """What was compared and what a reader should know, one sentence each."""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's; None where there is no peer, or its figure is 0."""
        return self.ours / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal. Raises ValueError for a goal of a ratio that there is not."""
        if self.goal is None:
            return None
        figure = self.ratio if self.goal.of == "ratio" else self.ours
        if figure is None:
            raise ValueError(f"{self.name}: there is no ratio that could meet the goal")
        return _HOLDS[self.goal.relation](figure, self.goal.limit)

    def as_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer,
            "peer_name": self.peer_name or None,
            "ratio": self.ratio,
            "goal": None if self.goal is None else str(self.goal),
            "met": self.met,
            "command": self.command,
            "versions": dict(self.versions),
            "notes": list(self.notes),
        }


def figure(value: float) -> str:
    """A number with three significant digits, and no exponent: ``0.0412``, ``3.14``, ``12,300``."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def lines(result: Result) -> list[str]:
    """The result as text: the figures, then the notes, then how and with what it was measured."""
    parts = [f"{result.name}: {figure(result.ours)} {result.unit}"]
    if result.peer is not None:
        parts.append(f"{result.peer_name} {figure(result.peer)} {result.unit}")
    if result.ratio is not None:
        parts.append(f"ratio {figure(result.ratio)}")
    if result.goal is not None:
        parts.append(f"goal {result.goal}: {'met' if result.met else 'not met'}")
    versions = ", ".join(f"{program} {version}" for program, version in result.versions.items())
    return [" | ".join(parts), *(f"    {note}" for note in result.notes), f"    $ {result.command}   ({versions})"]
