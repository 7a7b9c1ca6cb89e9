"""Panels in Grafana's classic dashboard schema (version 39), each from the few things that tell it from the others.

A panel has its size in gridPos, and gets its id and place from scripts/dashboards/board.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from scripts.dashboards.looks import NEUTRAL, OVER_LIMIT, Json, Mappings, Steps, mapped, thresholds

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """A query over time. A limit is drawn as a dashed line; a mirrored one (sent, written) below zero."""

    expr: str
    legend: str = ""
    limit: bool = False
    mirrored: bool = False
    colour: str = "red"


@dataclass(frozen=True)
class Column:
    """A column of a table: an instant query, its unit, and how its cells are coloured.

    With ``labels`` (each with its header) it is these of an info metric that are shown, and not its value.
    """

    title: str
    expr: str
    unit: str = "short"
    mappings: Mappings | None = None
    steps: Steps | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def info(expr: str, labels: Mapping[str, str]) -> Column:
    """Columns of a table for the labels of an info metric."""
    return Column("", expr, labels=labels)


def series(
    title: str,
    *queries: Query,
    unit: str = "short",
    about: str = "",
    width: int = 8,
    style: str = "lines",
    repeat: str | None = None,
    **bounds: float,
) -> Json:
    """Values over time: ``style`` is lines, stacked or bars; a panel for each value of the variable ``repeat``."""
    custom: Json = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    stacking = {"mode": "normal", "group": "A"}
    if style == "stacked":
        custom |= {"fillOpacity": 30, "stacking": stacking}
    elif style == "bars":
        custom = {"drawStyle": "bars", "lineWidth": 0, "fillOpacity": 80, "stacking": stacking}
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, about, (width, 8), [_ranged(query) for query in queries])
    panel["fieldConfig"] = _fields(unit, custom=custom, bounds=bounds)
    panel["fieldConfig"]["overrides"] = [
        change for ref, query in zip(ascii_uppercase, queries, strict=False) for change in _drawn(ref, query)
    ]
    panel["options"] = options
    if repeat:
        panel |= {"repeat": repeat, "repeatDirection": "h", "maxPerRow": 24 // width}
    return panel


def states(title: str, query: Query, mappings: Mappings | None = None, about: str = "", width: int = 12) -> Json:
    """A bar a series over time, in the colour of its value."""
    panel = _panel("state-timeline", title, about, (width, 8), [_ranged(query)])
    panel["fieldConfig"] = _fields("short", custom={"fillOpacity": 70, "lineWidth": 0}, mappings=mappings)
    legend = {"showLegend": False}
    panel["options"] = {"showValue": "never", "mergeValues": True, "rowHeight": 0.8, "legend": legend}
    return panel


def stat(
    title: str,
    expr: str,
    unit: str = "short",
    about: str = "",
    steps: Steps = NEUTRAL,
    mappings: Mappings | None = None,
    link: str | None = None,
    width: int = 4,
) -> Json:
    """One value as of now, that leads to the dashboard with the uid ``link``."""
    panel = _panel("stat", title, about, (width, 4), [_instant(Query(expr))])
    panel["fieldConfig"] = _fields(unit, custom={}, steps=steps, mappings=mappings)
    panel["options"] = {"colorMode": "background", "graphMode": "none", "textMode": "auto", "reduceOptions": _last()}
    if link:
        url = f"/d/{link}?${{__url_time_range}}&${{datasource:queryparam}}&${{instance:queryparam}}"
        panel["links"] = [{"title": "Details", "url": url}]
    return panel


def gauges(
    title: str, query: Query, unit: str = "percentunit", about: str = "", steps: Steps = OVER_LIMIT, width: int = 12
) -> Json:
    """A horizontal bar a series, of its value as of now, from 0 to 1."""
    panel = _panel("bargauge", title, about, (width, 8), [_instant(query)])
    panel["fieldConfig"] = _fields(unit, custom={}, steps=steps, bounds={"min": 0, "max": 1})
    panel["options"] = {"displayMode": "gradient", "orientation": "horizontal", "reduceOptions": _last()}
    return panel


def table(
    title: str, labels: Mapping[str, str], *columns: Column, about: str = "", width: int = 12, height: int = 8
) -> Json:
    """A row for each set of values of the labels (each with its header), as of now.

    Grafana merges rows whose labels are equal, so that the queries keep no others.
    """
    targets = [
        _instant(Query(f"max by ({', '.join([*labels, *column.labels])}) ({column.expr})")) | {"format": "table"}
        for column in columns
    ]
    panel = _panel("table", title, about, (width, height), targets)
    panel["fieldConfig"] = _fields("short", custom={"align": "auto", "cellOptions": {"type": "auto"}})
    panel["fieldConfig"]["overrides"] = [_cells(column) for column in columns if column.title]
    # Grafana numbers the columns of values only when there are several.
    values = [f"Value #{ref}" for ref in ascii_uppercase[: len(columns)]] if len(columns) > 1 else ["Value"]
    headers = dict(labels)
    for value, column in zip(values, columns, strict=True):
        headers |= {value: column.title} if column.title else dict(column.labels)
    hidden = ["Time", *(value for value in values if value not in headers)]
    organize = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(headers)},
        "renameByName": headers,
    }
    panel["options"] = {"showHeader": True, "cellHeight": "sm"}
    panel["transformations"] = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    return panel


def coded(metric: str, values: Sequence[tuple[str, str]], by: str) -> tuple[str, Mappings]:
    """A query that gives the state of a state set as a number, and the texts and colours of its numbers.

    A timeline has one value a series, and a state set a series for each state.
    """
    numbers = " or ".join(f'{metric}{{{metric}="{text}"}} * {number}' for number, (text, _) in enumerate(values, 1))
    return f"sum by ({by}) ({numbers})", dict(enumerate(values, 1))


def _panel(kind: str, title: str, about: str, size: tuple[int, int], targets: Sequence[Json]) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": DATASOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "targets": [target | {"refId": ref} for ref, target in zip(ascii_uppercase, targets, strict=False)],
    }


def _target(query: Query) -> Json:
    return {"datasource": DATASOURCE, "expr": query.expr, "legendFormat": query.legend}


def _ranged(query: Query) -> Json:
    return _target(query) | {"instant": False, "range": True, "format": "time_series"}


def _instant(query: Query) -> Json:
    return _target(query) | {"instant": True, "range": False, "format": "time_series"}


def _fields(
    unit: str,
    *,
    custom: Json,
    steps: Steps = NEUTRAL,
    mappings: Mappings | None = None,
    bounds: Mapping[str, float] | None = None,
) -> Json:
    defaults = {
        "unit": unit,
        "custom": custom,
        "mappings": mapped(mappings) if mappings else [],
        **(bounds or {}),
        "thresholds": thresholds(steps),
    }
    return {"defaults": defaults, "overrides": []}


def _last() -> Json:
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _drawn(ref: str, query: Query) -> list[Json]:
    changes: Json = {}
    if query.limit:
        changes = {
            "custom.lineStyle": {"fill": "dash", "dash": [8, 8]},
            "custom.fillOpacity": 0,
            "custom.stacking": {"mode": "none", "group": "A"},
            "color": {"mode": "fixed", "fixedColor": query.colour},
        }
    if query.mirrored:
        changes["custom.transform"] = "negative-Y"
    return [_override("byFrameRefID", ref, changes)] if changes else []


def _cells(column: Column) -> Json:
    changes: Json = {"unit": column.unit}
    if column.mappings:
        changes["mappings"] = mapped(column.mappings)
    if column.steps:
        changes["thresholds"] = thresholds(column.steps)
    if column.mappings or column.steps:
        changes["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
    return _override("byName", column.title, changes)


def _override(matcher: str, options: str, changes: Json) -> Json:
    properties = [{"id": name, "value": value} for name, value in changes.items()]
    return {"matcher": {"id": matcher, "options": options}, "properties": properties}
