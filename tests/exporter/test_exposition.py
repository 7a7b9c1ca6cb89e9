"""Content negotiation, and that what is rendered is what the library renders."""

import math

import pytest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
    SummaryMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.samples import Exemplar, Timestamp

from exporter.exposition import Format, accepts_gzip, choose_format, join, render

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        (BROWSER, Format.TEXT),
        ("text/plain", Format.TEXT),
        ("text/plain;version=0.0.4", Format.TEXT),
        (PROMETHEUS_2, Format.OPENMETRICS),
        (PROMETHEUS_3, Format.OPENMETRICS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format.OPENMETRICS),
        ('Application/OpenMetrics-Text; Version="1.0.0"', Format.OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", Format.TEXT),
        ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.5", Format.OPENMETRICS),
        ("application/openmetrics-text;q=much", Format.TEXT),
        (",;,;;=,", Format.TEXT),
    ],
)
def test_format(accept: str, form: Format) -> None:
    assert choose_format(accept) is form


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP, deflate", True),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity;q=1, gzip;q=0.5", True),
    ],
)
def test_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


VALUES = [0, 1, True, -1, 0.1, 1e-9, 123456, 1234567, 1234567.5, 1e21, -1e21, math.inf, -math.inf, math.nan, 2**63]
TEXTS = ["", "plain", 'quo"te', "back\\slash", "new\nline", "\\n", "ünï 日本", "tab\t\r"]


def gauge(labels: list[str], *rows: tuple[list[str], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("upkeeper_gauge_bytes", 'A "gauge"\nof \\ bytes.', labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def counter(*, created: float | None = None) -> CounterMetricFamily:
    family = CounterMetricFamily("upkeeper_runs", "Runs.", labels=["task"])
    family.add_metric(["b"], 3, created=created)
    return family


def special() -> GaugeMetricFamily:
    family = GaugeMetricFamily("upkeeper_special", "With a time.", labels=["a"])
    family.add_metric(["x"], 1, timestamp=Timestamp(123, 456))
    return family


def exemplary() -> CounterMetricFamily:
    family = counter()
    family.samples[0] = family.samples[0]._replace(exemplar=Exemplar({"trace": "x"}, 1.0))
    return family


BUCKETS = [("0.5", 1.0), ("+Inf", 2.0)]
FAMILIES: list[Metric] = [
    gauge(["z", "a"], *((["z", text], 1.5) for text in TEXTS)),
    gauge(["number"], *(([str(number)], value) for number, value in enumerate(VALUES))),
    GaugeMetricFamily("upkeeper_alone", "Without labels.", value=7),
    GaugeMetricFamily("upkeeper_wait_seconds", "With a unit.", value=7, unit="seconds"),
    counter(),
    counter(created=123.0),
    exemplary(),
    special(),
    InfoMetricFamily("upkeeper_build", "About.", value={"version": '1"', "b": "c"}),
    StateSetMetricFamily("upkeeper_state", "States.", value={"up": True, "down": False}),
    UnknownMetricFamily("upkeeper_unknown", "Unknown.", value=1),
    HistogramMetricFamily("upkeeper_took_seconds", "Histogram.", buckets=BUCKETS, sum_value=3),
    GaugeHistogramMetricFamily("upkeeper_sizes", "Gauge histogram.", buckets=BUCKETS, gsum_value=3),
    SummaryMetricFamily("upkeeper_summary", "Summary.", count_value=1, sum_value=2),
    GaugeMetricFamily("upkeeper_empty", "Nothing.", labels=["a"]),
]


class Registry:
    """What the library renders."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.type}-{family.name}")
def test_each_family_is_rendered_as_the_library_does(family: Metric) -> None:
    families = [family] if family.samples else []
    rendered = render([family])
    assert rendered.text == generate_latest(Registry(families))  # type: ignore[arg-type]
    assert join([rendered], Format.OPENMETRICS) == openmetrics.generate_latest(Registry(families))  # type: ignore[no-untyped-call]


def test_families_come_in_their_order() -> None:
    rendered = render(FAMILIES)
    present = [family for family in FAMILIES if family.samples]
    assert rendered.text == generate_latest(Registry(present))  # type: ignore[arg-type]
    assert join([rendered], Format.OPENMETRICS) == openmetrics.generate_latest(Registry(present))  # type: ignore[no-untyped-call]


def test_a_value_that_is_no_number_raises() -> None:
    with pytest.raises(ValueError, match="many"):
        render([gauge(["a"], (["x"], "many"))])  # type: ignore[arg-type]
