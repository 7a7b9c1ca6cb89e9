"""The chart of forecasts."""

import re
from xml.etree import ElementTree

from remediator.console.chart import MOST, forecast_chart
from remediator.model.shapes.forecasts import ForecastView


def foretold(sink: str, **changes: object) -> ForecastView:
    one = {
        "sink": sink, "unit": "bytes", "used": 80.0, "limit": 100.0, "used_ratio": 0.8, "growth": 1.0, "days": 20.0,
        "days_earliest": 15.0, "days_latest": 30.0, "reach_days": 60, "says": "in 20 days (15 to 30)", "remarks": [],
    }  # fmt: skip
    return {**one, **changes}  # type: ignore[typeddict-item]


def places(chart: str, name: str) -> list[float]:
    found = [each for each in ElementTree.fromstring(chart).iter() if each.get("class") == name]
    return [float(each.get("cx") or each.get("x") or "nan") for each in found]


def test_what_is_full_sooner_stands_further_left() -> None:
    late = {"days": 50.0, "days_earliest": 45.0, "days_latest": None}
    chart = forecast_chart([foretold("soon"), foretold("late", **late)])
    soon, later = places(chart, "full")
    assert 132 < soon < later < 400
    assert places(chart, "spread") == sorted(places(chart, "spread"))


def test_what_is_not_foreseen_has_a_line_and_nothing_on_it() -> None:
    chart = forecast_chart([foretold("never", days=None, days_earliest=None, days_latest=None)])
    assert ">never</text>" in chart
    assert places(chart, "full") == places(chart, "spread") == []


def test_no_chart_of_nothing() -> None:
    assert forecast_chart([]) == forecast_chart([foretold("young", reach_days=None)]) == ""


def test_names_are_text_and_lines_are_bounded() -> None:
    chart = forecast_chart([foretold("<script>alert(1)</script>" + "x" * 200)] * 40)
    ElementTree.fromstring(chart)
    assert "<script" not in chart
    assert len(re.findall(r'class="full"', chart)) == MOST
    assert "style=" not in chart


def test_no_mark_stands_in_another_or_outside() -> None:
    for reach in (7, 60, 365):
        chart = ElementTree.fromstring(forecast_chart([foretold("x" * 19, reach_days=reach)]))
        _, *marks = [each for each in chart.iter() if each.get("class") == "tick"]
        ends = 0.0
        for mark in marks:
            width = 6.6 * len(mark.text or "")  # of 12 px in a wide font
            before = {"start": 0.0, "middle": width / 2, "end": width}[mark.attrib["text-anchor"]]
            begins = float(mark.attrib["x"]) - before
            assert begins > ends, (reach, mark.text)
            ends = begins + width
        assert ends <= 400
