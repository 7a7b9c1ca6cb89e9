"""What tests read from the Grafana dashboards: their queries, and the metrics and labels that these name."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from upkeeper.share import share_path

DASHBOARDS = sorted((share_path() / "grafana" / "dashboards").glob("*.json"))
GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.txt"
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
SCRAPED = frozenset({"instance", "job"})
"""The labels that every sample has from Prometheus."""

NAME = re.compile(r"(?<![:\w])(?P<written>(?:\w+:)?(?P<name>upkeeper_\w+)(?::\w+)?)(?P<matchers>\{[^}]*\})?")


@dataclass(frozen=True)
class Selector:
    """A metric in a query, with its matchers as they are written there. written: its name, or that of what a rule
    records of it.
    """

    metric: str
    matchers: str
    written: str

    def labels(self) -> set[str]:
        """The labels that its matchers name."""
        return set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", self.matchers))


def load(path: Path) -> Any:
    """The dashboard in a file."""
    return json.loads(path.read_text())


def targets(panel: Any) -> list[Any]:
    """The queries of a panel; a row has none."""
    return list(panel.get("targets", ()))


def expressions(dashboard: Any) -> list[str]:
    """Every query of the panels and annotations."""
    panels = [target["expr"] for panel in dashboard["panels"] for target in targets(panel)]
    return panels + [annotation["expr"] for annotation in dashboard["annotations"]["list"]]


def choices(dashboard: Any) -> list[Any]:
    """The variables that are asked of Prometheus."""
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]


def label_values(choice: Any) -> tuple[str, str]:
    """The series and the label from which a variable gets its values."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", choice["definition"])
    assert found, choice["definition"]
    return found[1], found[2]


def selectors(expression: str) -> list[Selector]:
    """Every metric in a query. The label of a state set has a metric's name too, but is inside of the braces."""
    return [Selector(found["name"], found["matchers"] or "", found["written"]) for found in NAME.finditer(expression)]


def grouped(expression: str) -> set[str]:
    """The labels by which a query groups or matches."""
    lists = re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", expression)
    return {label for names in lists for label in re.findall(r"\w+", names)}


def metric_labels() -> dict[str, frozenset[str]]:
    """The labels of each metric: those its recorded samples have, else those of the reference."""
    rows = re.findall(r"^\| `(upkeeper_\w+)` \| (\w+) \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE)
    labels = {name: frozenset(re.findall(r"\w+", names)) for name, _, names in rows}
    labels |= {f"{name}_bucket": labels[name] | {"le"} for name, kind, _ in rows if kind == "histogram"}
    return labels | dict(_recorded())


def recorded_metrics() -> frozenset[str]:
    """The names of which the golden file has samples."""
    return frozenset(name for name, _ in _recorded())


def _recorded() -> Iterator[tuple[str, frozenset[str]]]:
    labels: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(GOLDEN.read_text()):
        for sample in family.samples:
            labels[sample.name] = labels.get(sample.name, frozenset()) | set(sample.labels)
    yield from labels.items()
