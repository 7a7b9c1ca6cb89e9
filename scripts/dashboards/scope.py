"""Adds to a query what the variables of its dashboard pick, by the labels that docs/metrics.md gives each metric."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


_NAME = re.compile(r"(?<![:\w])(?P<level>\w+:)?(?P<name>upkeeper_\w+)(?P<operations>:\w+)?(?:\{(?P<own>[^}]*)\})?")
"""A metric, or what a rule records of it (level:metric:operations). A name inside of braces is the label of a state
set: it goes with the metric before it.
"""


@dataclass(frozen=True)
class Variable:
    """A choice above the dashboard, from the values that a label has on a metric: any number of them, or just one.

    It picks from the metrics whose name begins with ``of`` and that have the label.
    """

    name: str
    title: str
    metric: str
    label: str
    several: bool = True
    of: str = "upkeeper_"

    def matcher(self) -> str:
        """What a query says to follow the choice."""
        return f'{self.label}=~"${self.name}"' if self.several else f'{self.label}="${self.name}"'

    def picks_from(self, metric: str) -> bool:
        """Whether the metric is one of those that follow the choice; every one has the instance."""
        return metric.startswith(self.of) and self.label in {"instance", *labels()[metric]}


@cache
def labels() -> dict[str, frozenset[str]]:
    """The labels of every metric by its name, without those that Prometheus adds."""
    rows = re.findall(r"^\| `(upkeeper_\w+)` \| (\w+) \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE)
    found = {name: frozenset(re.findall(r"\w+", names)) for name, _, names in rows}
    return found | {f"{name}_bucket": found[name] | {"le"} for name, kind, _ in rows if kind == "histogram"}


def scoped(expr: str, variables: Sequence[Variable], free: tuple[str, ...] = ()) -> str:
    """The query, each metric of it with the matchers of the variables, if its name begins with none of ``free``.

    KeyError for a metric that there is not.
    """

    def matched(found: re.Match[str]) -> str:
        name, own = found["name"], found["own"]
        followed = () if name.startswith(free) else variables
        parts = [variable.matcher() for variable in followed if variable.picks_from(name)]
        parts += [own] if own else []
        whole = f"{found['level'] or ''}{name}{found['operations'] or ''}"
        return f"{whole}{{{', '.join(parts)}}}" if parts else whole

    return _NAME.sub(matched, expr) if variables else expr
