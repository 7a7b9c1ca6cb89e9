"""What is foretold of series that are made from seeds, and how often what is said holds."""

from math import inf
from random import Random
from statistics import median

import pytest

from exporter.base.units import format_bytes
from remediator.forecast.days import DAY, Day, highest
from remediator.forecast.forecast import Forecast, NoForecast, forecast
from remediator.forecast.paths import Full
from remediator.forecast.steps import steps
from remediator.forecast.words import fullness, remarks
from tests.helpers import rounds
from tests.remediator.forecast.compare import healthy
from tests.remediator.forecast.series import CHANGING, HOUR, NOW, SHAPES, Shape, accelerating, made, nightly, steady

SEEDS = rounds("FORECAST_SEEDS", 10, 400)


def line(days: int, growth: float = 1.0, value: float = 50.0) -> list[tuple[float, float]]:
    """Hours of a straight line that has ``value`` now."""
    return [(NOW - hour * HOUR, value - growth * hour / 24) for hour in range(days * 24)]


def foretold(shape: Shape, seed: int, days: int = 30) -> tuple[Forecast, float]:
    """A forecast for a limit that was chosen without knowing what comes, and when it was reached in truth."""
    series = made(shape, seed, days, after=4 * days)
    limit = max(value for _, value in series.samples) + Random(seed).uniform(2, 25)
    found = forecast(series.samples, limit, NOW)
    truth = series.full(limit)
    return found, truth if truth <= found.reach else inf


def is_held(found: Forecast, truth: float) -> bool:
    assert found.full is not None
    return found.full.earliest <= truth <= found.full.latest


def test_the_spread_holds_as_often_as_it_says() -> None:
    """In four of five cases, of all shapes together and of each by itself as far as so many seeds can tell."""
    shares = {}
    for shape in SHAPES:
        held = sum(is_held(*foretold(shape, seed)) for seed in range(SEEDS))
        shares[shape.__name__] = held / SEEDS
    few = 2.5 * (0.8 * 0.2 / SEEDS) ** 0.5
    assert sum(shares.values()) / len(shares) >= 0.8, shares
    assert all(share >= 0.8 - few for share in shares.values()), shares


@pytest.mark.parametrize(("shape", "share"), [(steady, 0.7), (nightly, 0.3)])
def test_a_spread_that_says_nothing_would_hold_always(shape: Shape, share: float) -> None:
    """Of what grows evenly it is narrow, as a share of the time until it is full: more so where days differ less."""
    wide = []
    for seed in range(11):
        found, truth = foretold(shape, seed)
        assert found.full is not None
        wide.append((found.full.latest - found.full.earliest) / truth if truth < inf else 0.0)
    assert median(wide) <= share, wide


def test_a_straight_line_is_foretold_to_the_day() -> None:
    found = forecast(line(30), 60.0, NOW)
    assert found.full == Full(10.0, 10.0, 10.0)
    assert (round(found.growth, 6), found.used, found.days, found.reach) == (1.0, 50.0, 30, 120)
    assert (found.error, found.held, found.error_days) == (pytest.approx(0, abs=1e-9), 1.0, 7)
    assert found.error_ratio == pytest.approx(0, abs=1e-9)
    assert remarks(found, str) == []
    assert fullness(found.full, found.reach) == "in 10 days (10 to 10)"


def test_what_does_not_grow_is_never_full() -> None:
    for growth in (0.0, -0.5):
        found = forecast(line(30, growth), 60.0, NOW)
        assert found.full == Full(inf, inf, inf)
        assert fullness(found.full, found.reach) == "not within 120 days"


def test_what_is_full_is_full_now() -> None:
    found = forecast(line(30), 50.0, NOW)
    assert found.full == Full(0.0, 0.0, 0.0)
    assert fullness(found.full, found.reach) == "now"


def test_without_a_limit_only_the_growth_is_told() -> None:
    found = forecast(line(30), None, NOW)
    assert (found.full, found.error_ratio, round(found.growth, 6)) == (None, None, 1.0)


def test_growth_has_its_spread() -> None:
    within = 0
    for seed in range(20):
        dice = Random(seed)
        samples = [(at, value + dice.gauss(0, 3)) for at, value in line(30, 0.5)]
        found = forecast(samples, None, NOW)
        assert found.growth_low < found.growth < found.growth_high
        within += found.growth_low <= 0.5 <= found.growth_high
    assert within >= 14


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        ([], "there are no values"),
        (line(6), "its history has 6 days with values, and 7 are needed"),
        (line(30)[:3], "its history has 3 hours with values, and 7 days are needed"),
        (line(30)[: 10 * 24 : 8], "its history has 30 hours with values, and 7 days are needed"),
        (line(30)[20 * 24 :: 8], "it has had no values for 20 days"),
        (line(30)[:3] + line(30)[5 * 24 :], "of the last 5 days none has had values in 6 hours or more"),
        ([(at - 4 * DAY, value) for at, value in line(30)], "it has had no values for 4 days"),
        ([one for one in line(40) if (NOW - one[0]) // DAY % 4 == 0], "only 10 of its 37 days have values"),
        ([(at, float("nan")) for at, _ in line(30)], "there are no values"),
    ],
)
def test_from_too_little_nothing_is_foretold(samples: list[tuple[float, float]], why: str) -> None:
    with pytest.raises(NoForecast, match=why):
        forecast(samples, 100.0, NOW)


def test_a_nightly_job_is_no_growth() -> None:
    """It raises 20 for two hours each night, now and then an hour later: the line below grows by a half a day."""

    def tooth(at: float) -> float:
        hour = (at - NOW) / HOUR % 24
        late = Random(at // DAY).choice((0, 1))
        return 20.0 if 0 <= hour - late < 2 else 0.0

    found = forecast([(at, value + tooth(at)) for at, value in line(30, 0.5)], 90.0, NOW)
    assert found.growth == pytest.approx(0.5, abs=0.02)
    assert found.full is not None
    assert abs(found.full.middle - 40) <= 2


def test_a_step_is_named_and_is_no_growth() -> None:
    def stepped(size: float) -> list[tuple[float, float]]:
        return [(at, value + (size if NOW - at < 12 * DAY else 0)) for at, value in line(30, 0.1)]

    for size, way in ((20.0, "rose"), (-20.0, "fell")):
        found = forecast(stepped(size), 100.0, NOW)
        assert found.growth == pytest.approx(0.1, abs=0.02)
        assert [round(step.size) for step in found.steps] == [size]
        said = remarks(found, lambda value: f"{value:.0f}")
        ago = 11 if size > 0 else 10  # the day after a fall reaches back into what was there before it
        assert said == [f"{way} by 20 {ago} days ago, which is taken to have happened once"]


def run_away(days: float, growth: float, begin: float = 60.0, history: int = 42, noise: float = 0.0) -> Forecast:
    """Of what was flat, and has grown for so many days now. Its limit is 100."""
    dice = Random(1)
    hours = [(hour, begin + growth * max(0.0, days - hour / 24)) for hour in range(history * 24)]
    return forecast([(NOW - hour * HOUR, value + dice.gauss(0, noise)) for hour, value in hours], 100.0, NOW)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("days", [2, 3, 4, 5, 6, 7])
def test_what_runs_away_is_foreseen(days: int, noise: float) -> None:
    """From its second day on, to a day; it is no step, and that the forecast goes by its last days is said."""
    found = run_away(days, 5.0, noise=noise)
    assert found.full is not None
    assert found.is_foreseen
    assert abs(found.full.middle - (8 - days)) <= 1
    assert found.full.earliest <= 8 - days
    assert found.growth == pytest.approx(5.0, abs=0.3)
    assert (found.since, found.steps) == (days, [])
    assert f"has grown as never before for {days} days, and what is foretold goes by these" in remarks(found, str)


def test_what_runs_away_is_full_in_the_end() -> None:
    assert run_away(8, 5.0).full == Full(0.0, 0.0, 0.0)
    assert run_away(2, 15.0).full == Full(1.0, 1.0, 1.0)
    assert run_away(1, 5.0).since == 0  # of a single day nobody knows
    assert [round(step.size) for step in run_away(1, 5.0).steps] == [5]


@pytest.mark.parametrize("history", [9, 12, 14, 21])
def test_what_runs_away_is_foreseen_in_a_young_history(history: int) -> None:
    found = run_away(3, 5.0, history=history)
    assert (found.full, found.is_foreseen) == (Full(5.0, 5.0, 5.0), True)


def test_what_runs_away_slowly_or_with_a_pause_is_foreseen() -> None:
    assert run_away(9, 1.0, begin=80.0, noise=0.5).is_foreseen
    paused = [(at, 60.0 + 5.0 * min(max(0, day), 3) + 5.0 * max(0, day - 4)) for at, day in _days(6)]
    found = forecast(paused, 100.0, NOW)
    assert found.is_foreseen
    assert found.full is not None
    assert found.full.middle <= 5


def test_a_move_of_data_that_is_over_is_one_step() -> None:
    """Of four days, and quiet since: no growth, and said as it was."""
    moved = [(at, 50.0 + 5.0 * min(max(0, day), 4)) for at, day in _days(10)]
    found = forecast(moved, 100.0, NOW)
    assert (found.growth, found.since, found.full) == (0.0, 0, Full(inf, inf, inf))
    assert remarks(found, lambda value: f"{value:.0f}") == [
        "rose by 20 in 4 days until 6 days ago, which is taken to have happened once"
    ]


def _days(begins: int) -> list[tuple[float, int]]:
    """Hours of 42 days with the number of their day, counted from one so many days ago."""
    return [(NOW - hour * HOUR, begins - hour // 24) for hour in range(42 * 24)]


def test_what_changes_is_foretold_by_its_last_days() -> None:
    """The middle is as near as in the table of the docs; what accelerates is told too late, and says so."""
    off: dict[str, list[float]] = {shape.__name__: [] for shape in CHANGING}
    held = 0
    for shape in CHANGING:
        for seed in range(SEEDS):
            found, truth = foretold(shape, seed)
            held += is_held(found, truth)
            if truth < inf and found.full is not None:
                off[shape.__name__].append(abs(found.full.middle - truth) / truth)
    assert median(off["runaway"]) <= 0.15, off
    assert median(off["change_of_slope"]) <= 0.25, off
    assert held / (SEEDS * len(CHANGING)) >= 0.7


def test_forecasts_that_never_held_say_so() -> None:
    samples = [(NOW - hour * HOUR, 70 * 1.028 ** (-hour / 24)) for hour in range(42 * 24)]
    found = forecast(samples, 85.0, NOW)
    said = "its past forecasts held what they said: it does not go on as it did, so look again soon"
    assert found.held == 0.0
    assert f"none of {said}" in remarks(found, str)
    noisy = [remarks(forecast(made(accelerating, seed, after=0).samples, 100.0, NOW), str) for seed in range(3)]
    assert any(any(said in one for one in each) for each in noisy)
    for seed in range(3):
        calm = forecast(made(steady, seed, after=0).samples, 200.0, NOW)
        assert not any("past forecasts" in one for one in remarks(calm, str))


def test_steps_that_come_again_are_growth() -> None:
    days = [Day(at, 50.0 + 5 * ((at + 30) // 10) + 0.1 * (at % 2)) for at in range(-29, 1)]
    assert steps(days) == []
    samples = [(at, 50.0 + 5 * ((30 * DAY + at - NOW) // (10 * DAY))) for at, _ in line(30)]
    assert forecast(samples, None, NOW).growth == pytest.approx(0.5, abs=0.15)


def test_a_cleanup_each_week_is_no_growth() -> None:
    """What is foretold of teeth of a week is when the highest reach the limit."""
    samples = [(at, 50 + 10 * ((at - NOW) / DAY % 7) / 7) for at, _ in line(35)]
    found = forecast(samples, 65.0, NOW)
    assert found.growth == pytest.approx(0.0, abs=0.05)
    assert found.full is not None
    assert found.full.middle == inf
    assert found.weekly
    assert "follows the days of the week" in remarks(found, str)


def test_gaps_are_said() -> None:
    samples = [one for one in line(30) if not 5 <= (NOW - one[0]) // DAY < 9]
    found = forecast(samples, 60.0, NOW)
    assert found.gaps == 4
    assert found.full == Full(10.0, 10.0, 10.0)
    assert "4 days without values" in remarks(found, str)


def test_a_young_series_says_so() -> None:
    found = forecast(line(9), 100.0, NOW)
    assert found.reach == 36
    assert found.full == Full(inf, inf, inf)
    assert remarks(found, str) == ["only 9 days of history: what comes each week cannot be told from growth"]


def test_the_error_is_that_of_past_forecasts() -> None:
    """Where growth has doubled in the middle, forecasts of a week were off by what came beyond the old growth."""
    samples = [(at, 50 + max(days := (at - NOW) / DAY, -15.0) + days) for at, _ in line(30)]
    found = forecast(samples, 100.0, NOW)
    assert found.error is not None
    assert 0.5 < found.error <= 7
    assert found.error_ratio == found.error / 100
    assert found.held is not None
    assert found.held < 0.8
    assert found.full is not None
    assert found.full.latest - found.full.earliest > 5


def test_a_fall_in_a_young_history_is_no_reason_to_wake_anybody() -> None:
    """What has grown by 1.3 a day since a fall a week ago may fall again next week: of three weeks that would show."""

    def fallen(days: int, ago: float) -> Forecast:
        before = [(at, 8.0 if NOW - at > ago * DAY else 0.0) for at, _ in line(days)]
        return forecast([(at, 80 + 1.3 * (at - NOW) / DAY + more) for at, more in before], 100.0, NOW)

    young = fallen(14, 6)
    assert young.full is not None
    assert young.full.middle < 20
    assert not young.is_foreseen
    assert fallen(28, 6).is_foreseen
    assert fallen(28, -1).is_foreseen


def test_the_same_history_has_the_same_forecast() -> None:
    series = made(SHAPES[1], 3)
    assert forecast(series.samples, 80.0, NOW) == forecast(list(reversed(series.samples)), 80.0, NOW)


def test_a_day_reaches_into_the_one_before() -> None:
    """A job at the edge of days is in each of them, and not in two here and none there."""
    samples = [(NOW - hour * HOUR, 9.0 if hour in (23, 25) else 1.0) for hour in range(72)]
    assert highest(samples, NOW) == [Day(-2, 1.0), Day(-1, 9.0), Day(0, 9.0)]
    assert highest([*samples, (NOW + 1, 99.0)], NOW) == highest(samples, NOW)


@pytest.mark.parametrize("kind", ["flat", "nightly", "weekly"])
def test_a_healthy_month_foretells_no_full_disk(kind: str) -> None:
    """On each day from the second week on, with what was known then: never full within two weeks."""
    for seed in range(rounds("FORECAST_HEALTHY", 2, 60)):
        dice = Random(f"{kind} {seed}")
        value = healthy(dice, kind)
        samples = [(NOW + hour * HOUR, value(hour)) for hour in range(30 * 24)]
        for day in range(14, 31, 4):
            found = forecast(samples[: day * 24], 100.0, NOW + (day * 24 - 1) * HOUR)
            assert found.full is not None
            assert not found.is_foreseen or found.full.middle > 14, (seed, day, found)


def test_amounts_are_written_as_asked() -> None:
    samples = [(at, (value + (30 if NOW - at < 3 * DAY else 0)) * 1024**3) for at, value in line(30, 0.1)]
    assert remarks(forecast(samples, None, NOW), format_bytes)[0].startswith("rose by 30 GiB 2 days ago")


@pytest.mark.parametrize(
    ("full", "said"),
    [
        (Full(3, 5, 9), "in 5 days (3 to 9)"),
        (Full(0, 1, 2), "in 1 day (0 to 2)"),
        (Full(3, 5, inf), "in 5 days (3 or later)"),
        (Full(30, inf, inf), "hardly within 60 days, at the earliest in 30"),
        (None, "no limit"),
    ],
)
def test_fullness_in_words(full: Full | None, said: str) -> None:
    assert fullness(full, 60) == said
