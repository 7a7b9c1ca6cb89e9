"""Charts of a report as static SVG: no script, no font, no size of its own beyond its shape. Pure.

Colours are classes, so that the page's style gives them in light and in dark. What stands in them is numbers and dates
of ours; every chart has its figures in a table beside it, as a mail may show no SVG.
"""

from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from exporter.base.text import format_time
from exporter.base.units import format_bytes
from remediator.reporting.report import DayDone

WIDTH, HEIGHT = 640.0, 150.0
_LEFT, _BOTTOM, _TOP = 56.0, 20.0, 8.0
MOST_BARS = 100
"""Of more days, several are one bar."""


def runs_chart(days: Sequence[DayDone]) -> Markup:
    """Runs by day: good, without success, other."""
    bars = _joined([(day.begins_at, [day.good, day.trouble, day.other]) for day in days])
    return _bars(bars, ("good", "bad", "other"), lambda value: f"{value:.0f}", "Runs by day")


def freed_chart(days: Sequence[DayDone]) -> Markup:
    """Bytes freed by day; nothing where none were."""
    if not any(day.freed_bytes for day in days):
        return Markup("")
    bars = _joined([(day.begins_at, [day.freed_bytes]) for day in days])
    return _bars(bars, ("freed",), format_bytes, "Freed by day")


Bar = tuple[float, list[int]]


def _joined(bars: Sequence[Bar]) -> Sequence[Bar]:
    step = max(1, -(-len(bars) // MOST_BARS))
    groups = [bars[at : at + step] for at in range(0, len(bars), step)]
    return [(group[0][0], [sum(parts) for parts in zip(*(one[1] for one in group), strict=True)]) for group in groups]


def _bars(bars: Sequence[Bar], classes: Sequence[str], label: Callable[[float], str], title: str) -> Markup:
    if not bars:
        return Markup("")
    most = max((sum(parts) for _, parts in bars), default=0) or 1
    text = "".join(_drawn(bars, classes, float(most)))
    ticks = "".join(_ticks(bars, label(most), label(0)))
    return Markup(  # noqa: S704  # only numbers and words of ours have been put together here
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{title}" preserveAspectRatio="xMidYMid meet">'
        f"<title>{title}</title>{text}{ticks}</svg>"
    )


def _drawn(bars: Sequence[Bar], classes: Sequence[str], most: float) -> Iterator[str]:
    room = (WIDTH - _LEFT) / len(bars)
    tall = HEIGHT - _BOTTOM - _TOP
    for number, (_, parts) in enumerate(bars):
        bottom = HEIGHT - _BOTTOM
        for part, name in zip(parts, classes, strict=True):
            height = tall * part / most
            bottom -= height
            if part:
                yield (
                    f'<rect class="{name}" x="{_LEFT + number * room:.2f}" y="{bottom:.2f}" '
                    f'width="{max(room - 1.5, 0.8):.2f}" height="{max(height, 0.6):.2f}"/>'
                )


def _ticks(bars: Sequence[Bar], top: str, zero: str) -> Iterator[str]:
    base = HEIGHT - _BOTTOM
    yield f'<line class="axis" x1="{_LEFT:g}" y1="{base:g}" x2="{WIDTH:g}" y2="{base:g}"/>'
    yield f'<text class="tick" x="{_LEFT - 4:g}" y="{_TOP + 8:g}" text-anchor="end">{top}</text>'
    yield f'<text class="tick" x="{_LEFT - 4:g}" y="{base:g}" text-anchor="end">{zero}</text>'
    first, last = (format_time(bars[place][0])[:10] for place in (0, -1))
    yield f'<text class="tick" x="{_LEFT:g}" y="{HEIGHT - 5:g}">{first}</text>'
    if len(bars) > 1:
        yield f'<text class="tick" x="{WIDTH:g}" y="{HEIGHT - 5:g}" text-anchor="end">{last}</text>'
