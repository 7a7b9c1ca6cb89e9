"""A report as one HTML file, by Jinja2, which escapes all that is put in."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.base.spans import coarse
from exporter.base.text import counted, format_time
from exporter.base.units import format_bytes
from exporter.base.visible import visible_lines
from remediator.reporting.charts import freed_chart, runs_chart
from remediator.reporting.make import in_a_sentence
from remediator.reporting.report import NOT_KNOWN, Report

MEDIA_TYPE = "text/html; charset=utf-8"


def render(report: Report) -> str:
    """The page. It needs nothing from elsewhere, and has no script."""
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            headline=headline(report),
            not_known=NOT_KNOWN,
            runs_chart=runs_chart(report.days),
            freed_chart=freed_chart(report.days),
        )
    )


def headline(report: Report) -> str:
    left = None if "open" in report.unseen else report.open_count
    return in_a_sentence(report.runs, report.planned, report.freed_bytes, report.in_trouble, left)


def day(at: float | None) -> str:
    return "-" if at is None else format_time(at)[:10]


def moment(at: float | None) -> str:
    return "-" if at is None else format_time(at).replace("T", " ").removesuffix(":00Z").removesuffix("Z")


def _shown(value: object) -> object:
    """As on the pages of the console: names in a report come from anywhere; markup is of ours."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("remediator.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "bytes": lambda count: format_bytes(count) if count else "-",
        "day": day,
        "moment": moment,
        "coarse": coarse,
        "figure": lambda count: str(count) if count else "-",
    }
    environment.globals |= {"counted": counted}
    return environment
