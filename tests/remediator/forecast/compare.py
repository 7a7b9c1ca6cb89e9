"""The table of docs/how-to/forecasts.md: this forecast beside predict_linear and a plain linear fit.

    .venv/bin/python -m tests.remediator.forecast.compare 400

Of as many seeds as are asked for; 400 take twenty minutes of a processor.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from math import inf
from random import Random
from statistics import median

from remediator.forecast.forecast import Forecast, forecast
from tests.remediator.forecast.linear import Samples, days_until
from tests.remediator.forecast.series import CHANGING, HOUR, NOW, SHAPES, Shape, made

DAYS = 30
WITHIN = 14.0
"""Days within which what is full is worth a warning."""
RANGES = {"predict_linear, 6 h": 6.0, "predict_linear, 7 d": 7 * 24.0, "linear fit, 30 d": 30 * 24.0}
"""Hours of history that each looks at."""


def last(samples: Samples, hours: float, now: float) -> Samples:
    return [one for one in samples if now - hours * HOUR < one[0] <= now]


def limit_of(samples: Samples, seed: int) -> float:
    """Chosen without knowing what comes."""
    return max(value for _, value in samples) + Random(seed).uniform(2, 25)


class Row:
    """Of one shape: by how much each was off, as a share of the time there was; how often the spread held."""

    def __init__(self, shape: Shape, seeds: int) -> None:
        self.off: dict[str, list[float]] = {"forecast": [], **{name: [] for name in RANGES}}
        held = 0
        self.wide: list[float] = []
        for seed in range(seeds):
            series = made(shape, seed, DAYS, after=4 * DAYS)
            limit = limit_of(series.samples, seed)
            truth = series.full(limit)
            found = forecast(series.samples, limit, NOW)
            assert found.full is not None
            reached = truth if truth <= found.reach else inf
            held += found.full.earliest <= reached <= found.full.latest
            if reached == inf:
                continue
            self.wide.append(found.full.latest - found.full.earliest)
            told = {"forecast": found.full.middle}
            told |= {name: days_until(last(series.samples, hours, NOW), limit, NOW) for name, hours in RANGES.items()}
            for name, days in told.items():
                self.off[name].append(abs(days - truth) / truth)
        self.held = held / seeds

    def cells(self) -> Sequence[str]:
        return [f"{self.held:.0%}", *(_share(median(values)) for values in self.off.values())]


def _share(value: float) -> str:
    return "never full" if value == inf else f"{value:.0%}"


def healthy(dice: Random, teeth: str) -> Callable[[float], float]:
    """Of a host that nobody needs to be woken for, shares of 100 by the hour: it is not full for months."""
    base, tooth, noise = dice.uniform(30, 75), dice.uniform(2, 10), dice.uniform(0.05, 1)
    growth = dice.uniform(-0.02, 0.1)
    period = {"flat": 0, "nightly": 24, "weekly": 168}[teeth]

    def value(hour: float) -> float:
        high = tooth * (hour % period) / period if period else 0.0
        return base + growth * hour / 24 + high + dice.gauss(0, noise)

    return value


def foretold(samples: Samples, now: float) -> Forecast:
    return forecast(samples, 100.0, now)


def alarms(teeth: str, seeds: int) -> Mapping[str, float]:
    """The share of healthy months in which each would have warned at least once: the forecast each day from the second
    week on, as it is made; the others each hour.
    """
    warned = dict.fromkeys(("forecast", *RANGES), 0)
    for seed in range(seeds):
        value = healthy(Random(f"{teeth} {seed}"), teeth)
        samples = [(NOW + hour * HOUR, value(hour)) for hour in range(DAYS * 24)]
        told = [foretold(samples[: day * 24], NOW + (day * 24 - 1) * HOUR) for day in range(14, DAYS + 1)]
        foreseen = [one.full.middle for one in told if one.full is not None and one.is_foreseen]
        warned["forecast"] += any(days <= WITHIN for days in foreseen)
        for name, hours in RANGES.items():
            step = 1 if hours < 48 else 12  # a week's line changes little within half a day
            warned[name] += any(
                days_until(samples[max(0, end - int(hours)) : end], 100.0, samples[end - 1][0]) <= WITHIN
                for end in range(14 * 24, DAYS * 24, step)
            )
    return {name: count / seeds for name, count in warned.items()}


def main(seeds: int) -> None:
    names = ["forecast", *RANGES]
    print(f"| series | spread held | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}")
    for shape in (*SHAPES, *CHANGING):
        title = shape.__name__.replace("_", " ")
        print(f"| {title} | {' | '.join(Row(shape, seeds).cells())} |", flush=True)
    months = max(10, seeds // 4)
    print(f"\n| healthy months ({months} of each) | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for teeth in ("flat", "nightly", "weekly"):
        shares = alarms(teeth, months)
        print(f"| {teeth} | {' | '.join(f'{shares[name]:.0%}' for name in names)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
