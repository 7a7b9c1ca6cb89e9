"""The metrics that Upkeeper serves, as rules and dashboards may use them: what the generated reference says."""

import re
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"


def _series() -> Iterator[str]:
    for name, kind in re.findall(r"^\| `(upkeeper_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE):
        yield name
        if kind == "histogram":
            yield from (f"{name}_{part}" for part in ("bucket", "sum", "count"))


METRICS = frozenset(_series())
