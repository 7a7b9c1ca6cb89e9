"""Episodes replayed: what runs, what is held back and by which guard, under either assumption."""

import math
from dataclasses import replace
from datetime import UTC

import pytest

from remediator.backtest.episodes import Episode
from remediator.backtest.history import GateHistory
from remediator.backtest.record import World
from remediator.backtest.replay import Assume, Replay, Replayed
from remediator.backtest.report import decided
from remediator.config.guards import Concurrency, Rate, Storm
from remediator.config.remedies import Remedy
from remediator.config.window import Window
from remediator.decide.remedies import Remedies
from remediator.model.hold import DAY, HOUR
from tests.remediator.conftest import REMEDY

T = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""
WORLD = World("here", UTC, {"sweep": False})
TARGETS = {"sweep": ["attic", "cellar"]}


def fires(begins: float, ends: float | None, room: str = "attic", **labels: str) -> Episode:
    given = {"alertname": "Cluttered", "room": room, **labels}
    return Episode(given, T + begins, None if ends is None else T + ends)


def replayed(
    *episodes: Episode,
    remedy: Remedy = REMEDY,
    assume: Assume = "ineffective",
    world: World = WORLD,
    took: float = 0.0,
    until: float = DAY,
) -> Replayed:
    return Replay(episodes, Remedies([remedy]), TARGETS, world, assume=assume, until=T + until, took=took).replay()


def runs(found: Replayed) -> list[float]:
    return [run.begins - T for run in found.runs]


def with_(**settings: object) -> Remedy:
    return REMEDY.model_copy(update=settings)


def test_a_run_that_ends_its_alert_is_the_only_one() -> None:
    found = replayed(fires(0, 5 * HOUR), fires(6 * HOUR, 6 * HOUR + 600), assume="effective")
    assert runs(found) == [0.0, 6 * HOUR]


def test_runs_that_do_not_help_open_the_breaker() -> None:
    """A cooldown of a minute, a breaker that opens after three and closes after an hour."""
    found = replayed(fires(0, 2 * HOUR))
    assert runs(found)[:3] == [0.0, 60.0, 120.0]
    assert runs(found)[3] == 120.0 + HOUR
    assert "breaker" in {guard for *_, guard in decided(found.decisions)}


def test_what_none_matches_and_what_has_no_target() -> None:
    found = replayed(fires(0, 60, alertname="Other"), fires(0, 60, room="moon"))
    assert [(alert, remedy, verdict) for _, alert, remedy, verdict, _ in decided(found.decisions)] == [
        (0, None, "unmatched"),
        (1, "tidy", "no-target"),
    ]
    assert found.runs == []


def test_it_runs_when_its_window_opens_if_the_alert_still_fires() -> None:
    window = [Window.model_validate({"from": "10:00", "to": "11:00", "timezone": "UTC"})]
    found = replayed(fires(0, 3 * HOUR), fires(0, HOUR, room="cellar"), remedy=with_(window=window), assume="effective")
    assert runs(found) == [2 * HOUR]
    assert {guard for *_, guard in decided(found.decisions)} == {"window", None}


def test_a_gate_is_as_its_query_was() -> None:
    gates = {"up": GateHistory([T - 60, T + 600], [0, 1], [0, 1])}
    gated = with_(gate=["up"])
    assert runs(replayed(fires(0, HOUR), remedy=gated, assume="effective", world=replace(WORLD, gates=gates))) == [
        600.0
    ]
    nan = {"up": GateHistory([T - 60], [1], [0])}
    assert runs(replayed(fires(0, HOUR), remedy=gated, world=replace(WORLD, gates=nan))) == []
    for unknown in ({}, {"up": "no answer"}):
        assert runs(replayed(fires(0, HOUR), remedy=gated, world=replace(WORLD, gates=unknown))) == []
    blind = replace(WORLD, gates={"up": GateHistory([T - 60], [1], [1])}, known_at=lambda now: now >= T + 90)
    assert runs(replayed(fires(0, HOUR), remedy=gated, world=blind, assume="effective")) == [120.0]


def test_those_that_interrupt_something_follow_each_other() -> None:
    disruptive = replace(WORLD, disruptive={"sweep": True})
    both = (fires(0, HOUR), fires(10, HOUR, room="cellar"))
    assert runs(replayed(*both, world=disruptive, took=30.0, assume="effective")) == [0.0, 30.0]
    two = with_(concurrency=Concurrency(disruptive_per_host=2))
    assert runs(replayed(*both, world=disruptive, took=30.0, assume="effective", remedy=two)) == [0.0, 10.0]


def test_a_storm_holds_until_it_is_over() -> None:
    many = [fires(number, 2 * HOUR, room="moon", number=str(number)) for number in range(5)]
    stormy = with_(storm=Storm(alerts=3, within=600.0))
    found = replayed(*many, fires(10, 2 * HOUR), remedy=stormy, assume="effective")
    assert runs(found) == [pytest.approx(2 + 600.0)]


def test_one_that_observes_plans_once_a_day_and_one_that_asks_runs_nothing() -> None:
    observing = with_(autonomy="observe")
    assert runs(replayed(fires(0, None), remedy=observing, until=2.5 * DAY)) == [0.0, DAY, 2 * DAY]
    asking = with_(autonomy="approve")
    found = replayed(fires(0, None), remedy=asking)
    assert runs(found) == []
    assert [verdict for *_, verdict, _ in decided(found.decisions)] == ["run"]


def test_no_run_is_in_its_own_way_and_rates_hold() -> None:
    rated = with_(rate=Rate(per_hour=2, per_day=3), cooldown=0.0, settle=0.0)
    flapping = [fires(100 * number, 100 * number + 50) for number in range(200)]
    found = replayed(*flapping, remedy=rated, assume="effective")
    assert len(found.runs) == 3
    assert all(math.isfinite(run.ends) for run in found.runs)
