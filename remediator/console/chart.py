"""The chart of the forecasts as static SVG: a line a thing, on which the time in which it may be full stands. Pure.

Colours are classes, as no page of the console may have a style of its own. Its figures are in the table below it too.
"""

from collections.abc import Iterator, Sequence
from math import inf

from markupsafe import Markup, escape

from exporter.base.visible import visible
from remediator.model.shapes.forecasts import ForecastView

MOST = 12
"""Lines, of what is full soonest."""
_LINE, _LEFT, _WIDTH, _RIGHT, _TOP = 28.0, 132.0, 400.0, 8.0, 4.0
"""Not wider than a phone, on which it is shown as large as this."""
_LONGEST_NAME = 19


def forecast_chart(found: Sequence[ForecastView]) -> Markup:
    """Nothing where none of them has a forecast."""
    shown = [one for one in found if one["reach_days"] is not None and one["limit"] is not None][:MOST]
    if not shown:
        return Markup("")
    reach = float(max(one["reach_days"] or 1 for one in shown))
    height = _TOP + _LINE * len(shown) + 28.0
    lines = "".join(_line(one, number, reach) for number, one in enumerate(shown))
    title = f"When it is full, in the next {reach:.0f} days"
    return Markup(  # noqa: S704  # names are escaped where they stand, all else is numbers and words of ours
        f'<svg class="chart" viewBox="0 0 {_WIDTH:g} {height:g}" role="img" aria-label="{title}">'
        f"<title>{title}</title>{lines}{''.join(_axis(height, reach))}</svg>"
    )


def _at(days: float, reach: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max(days, 0.0), reach) / reach


def _line(one: ForecastView, number: int, reach: float) -> str:
    middle = _TOP + _LINE * (number + 0.5)
    sink = visible(one["sink"])
    name = sink if len(sink) <= _LONGEST_NAME else sink[: _LONGEST_NAME - 1] + "…"
    text = (
        f'<text class="tick" x="{_LEFT - 8:g}" y="{middle + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        f'<line class="axis" x1="{_LEFT:g}" y1="{middle:.1f}" x2="{_WIDTH - _RIGHT:g}" y2="{middle:.1f}"/>'
    )
    earliest = inf if one["days_earliest"] is None else one["days_earliest"]
    if earliest <= reach:
        begins, ends = _at(earliest, reach), _at(reach if one["days_latest"] is None else one["days_latest"], reach)
        width = max(ends - begins, 3.0)
        text += f'<rect class="spread" x="{begins:.1f}" y="{middle - 6:.1f}" width="{width:.1f}" height="12"/>'
    if one["days"] is not None and one["days"] <= reach:
        text += f'<circle class="full" cx="{_at(one["days"], reach):.1f}" cy="{middle:.1f}" r="6"/>'
    return text


def _axis(height: float, reach: float) -> Iterator[str]:
    """Five marks, of which the last has the word, as there is no room for it at each."""
    for part in range(5):
        days = reach * part / 4
        anchor = "start" if part == 0 else "end" if part == 4 else "middle"
        word = "now" if part == 0 else f"{days:.0f} days" if part == 4 else f"{days:.0f}"
        yield f'<text class="tick" x="{_at(days, reach):.1f}" y="{height - 8:g}" text-anchor="{anchor}">{word}</text>'
