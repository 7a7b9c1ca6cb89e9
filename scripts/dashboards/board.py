"""A whole dashboard: its variables, links, and the panels each in its place."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.dashboards.looks import Json
from scripts.dashboards.panels import DATASOURCE
from scripts.dashboards.scope import Variable, scoped

COLUMNS = 24
TAG = "upkeeper"


@dataclass(frozen=True)
class Row:
    """A heading with panels below it, from left to right, and on the next line when there is no room."""

    title: str
    panels: Sequence[Json]


@dataclass(frozen=True)
class Board:
    """A dashboard, whose queries follow the choices of its variables.

    With ``verbatim`` they say themselves what they pick. Metrics whose names begin with one of ``own`` follow none.
    """

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    variables: Sequence[Variable]
    verbatim: bool = False
    own: tuple[str, ...] = ()

    def text(self) -> str:
        """The dashboard as the file that Grafana reads."""
        return json.dumps(self._json(), indent=2, ensure_ascii=False) + "\n"

    def _json(self) -> Json:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": [TAG],
            "timezone": "browser",
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {"list": [_source(), *(self._choice(number) for number in range(len(self.variables)))]},
            "annotations": {"list": [_runs()]},
            "links": [_links()],
            "panels": [self._scoped(panel) for panel in placed(self.rows)],
        }

    def _choice(self, number: int) -> Json:
        variable = self.variables[number]
        metric = scoped(variable.metric, self.variables[:number])
        query = f"label_values({metric}, {variable.label})"
        return {
            "name": variable.name,
            "type": "query",
            "datasource": DATASOURCE,
            "label": variable.title,
            "definition": query,
            "query": {"query": query, "refId": variable.name},
            "refresh": 2,
            "sort": 1,
            "multi": variable.several,
            "includeAll": variable.several,
            **({"allValue": ".*"} if variable.several else {}),
            "current": {},
            "options": [],
            "hide": 0,
        }

    def _scoped(self, panel: Json) -> Json:
        if self.verbatim or "targets" not in panel:
            return panel
        targets = [target | {"expr": scoped(target["expr"], self.variables, self.own)} for target in panel["targets"]]
        return panel | {"targets": targets}


def placed(rows: Sequence[Row]) -> Iterator[Json]:
    """The panels of all rows, with their ids and places."""
    number, top = 1, 0
    for row in rows:
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        number, top = number + 1, top + 1
        left = height = 0
        for panel in row.panels:
            size = panel["gridPos"]
            if left + size["w"] > COLUMNS:
                left, top, height = 0, top + height, 0
            yield {"id": number} | panel | {"gridPos": {"x": left, "y": top, **size}}
            number, left, height = number + 1, left + size["w"], max(height, size["h"])
        top += height


def exporter(*, several: bool = False) -> Variable:
    """The choice of the exporter.

    A dashboard of one kind shows one at a time, so that its legends need not say which.
    """
    return Variable("instance", "Exporter", "upkeeper_build_info", "instance", several)


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "label": "Data source",
        "hide": 0,
        "refresh": 1,
        "current": {},
        "options": [],
    }


def _runs() -> Json:
    return {
        "name": "Upkeeper runs",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": "sum by (task, outcome) (increase(upkeeper_task_runs_total[1m])) > 0",
        "step": "60s",
        "titleFormat": "{{task}}: {{outcome}}",
    }


def _links() -> Json:
    """The other dashboards of Upkeeper, with the exporter and the time that are chosen."""
    return {
        "type": "dashboards",
        "title": "Upkeeper",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }
