"""From the history of sinks to rows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from exporter.base.units import format_bytes
from remediator.forecast.days import DAY
from remediator.forecast.forecast import Forecast, NoForecast, forecast
from remediator.forecast.row import ForecastRow, Unit
from remediator.forecast.words import fullness, remarks
from remediator.tasks.capacity_planning.history import History, Sink, mount_of


def foretell(history: History, places: Mapping[str, str], now: float) -> list[ForecastRow]:
    """A row for each sink, what is full soonest first. now: Unix seconds.

    places: by the names of sinks the paths that they lie in.
    """
    rows = [_row(sink, _mount(sink, places, history), history, now) for sink in history.sinks]
    return sorted(rows, key=_order)


def _order(row: ForecastRow) -> tuple[float, float, str]:
    soon = row.days if row.days is not None else float("inf")
    return soon, -(row.used_ratio or 0.0), row.sink


def _mount(sink: Sink, places: Mapping[str, str], history: History) -> str:
    path = places.get(sink.name)
    return (mount_of(path, list(history.available)) or "") if path else ""


def _row(sink: Sink, within: str, history: History, now: float) -> ForecastRow:
    unit = sink.kind.unit
    limit = sink.limit
    last = sink.samples[-1][1]
    if limit is None and within:
        limit = last + history.available[within]
    ratio = last / limit if limit is not None and limit > 0 else None
    try:
        found = forecast(sink.samples, limit, now)
    except NoForecast as why:
        return ForecastRow(
            sink=sink.name, unit=unit, used=last, limit=limit, within=within, used_ratio=ratio,
            says=f"not foretold: {why}",
        )  # fmt: skip
    return _told(sink, found, within, now)


def _told(sink: Sink, found: Forecast, within: str, now: float) -> ForecastRow:
    unit, full = sink.kind.unit, found.full
    said = list(remarks(found, amount(unit)))
    if within:
        said.append(f"limited by the free space of {within}")
    return ForecastRow(
        sink=sink.name,
        unit=unit,
        used=found.used,
        limit=found.limit,
        within=within,
        used_ratio=found.used / found.limit if found.limit and found.limit > 0 else None,
        growth=found.growth,
        growth_low=found.growth_low,
        growth_high=found.growth_high,
        days=_finite(full.middle) if full else None,
        days_earliest=_finite(full.earliest) if full else None,
        days_latest=_finite(full.latest) if full else None,
        full_at=now + full.middle * DAY if full is not None and found.is_foreseen else None,
        reach_days=found.reach,
        history_days=found.days,
        error=found.error,
        error_ratio=found.error_ratio,
        error_days=found.error_days,
        held=found.held,
        says=fullness(full, found.reach),
        remarks=said,
    )


def _finite(days: float) -> float | None:
    return days if isfinite(days) else None


def amount(unit: Unit) -> Callable[[float], str]:
    """Writes amounts of a unit."""
    return format_bytes if unit == "bytes" else lambda count: f"{count:.0f} files"


def soonest(rows: Sequence[ForecastRow]) -> str:
    """One line of what is full first."""
    first = next((row for row in rows if row.days is not None), None)
    if first is None:
        none = bool(rows) and all(row.history_days is None for row in rows)
        return "nothing can be foretold yet, for the reasons in the table" if none else "nothing is foreseen to be full"
    return f"{first.sink} is full {first.says}"
