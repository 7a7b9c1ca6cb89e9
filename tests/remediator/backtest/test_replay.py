"""Episodes replayed: what runs, what is held back and by which guard, under either assumption."""

import math
from dataclasses import replace
from datetime import UTC

import pytest

from remediator.audit.record import Entry, Record, chained
from remediator.backtest.episodes import Episode
from remediator.backtest.history import GateHistory
from remediator.backtest.known import Known, Planned, closed_of, levels_of, muted_by, pauses_of
from remediator.backtest.record import World
from remediator.backtest.replay import Assume, Replay, Replayed
from remediator.backtest.report import decided
from remediator.config.guards import Budget, Concurrency, Rate, Storm
from remediator.config.remedies import Remedy, Trust
from remediator.config.window import Window
from remediator.decide.remedies import Remedies
from remediator.model.hold import DAY, HOUR, Pause
from remediator.model.silence import Matcher as SilenceMatcher
from remediator.model.silence import Silence
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


def knowing(**known: object) -> World:
    return replace(WORLD, known=Known(**known))  # type: ignore[arg-type]


def test_a_pause_holds_until_its_true_end() -> None:
    pauses = [Pause("sweep", "moving", T - 60, T + 600), Pause("other", "no", T, None)]
    found = replayed(fires(0, HOUR), world=knowing(pauses=pauses), assume="effective")
    assert runs(found) == [600.0]
    assert {guard for *_, guard in decided(found.decisions)} == {"paused", None}
    assert runs(replayed(fires(0, 300), world=knowing(pauses=pauses))) == []


def test_a_silence_holds_back_what_it_matches_and_its_end_is_looked_at() -> None:
    silence = Silence([SilenceMatcher("room", "att.*", regex=True)], T - 60, T + 900, "pat", "painting")
    ours = replace(silence, created_by="upkeeper@here", comment="Upkeeper run 7 (x) works on this alert")
    muted = muted_by([silence, ours], "here")
    assert len(muted) == 1
    both = (fires(0, HOUR), fires(10, HOUR, room="cellar"))
    found = replayed(*both, world=knowing(muted=muted), assume="effective")
    assert runs(found) == [10.0, 900.0]
    assert "silenced" in {guard for *_, guard in decided(found.decisions)}
    all_the_same = replayed(*both, world=knowing(muted=muted), assume="effective", remedy=with_(silenced="run"))
    assert runs(all_the_same) == [0.0, 10.0]


def test_a_breaker_closed_by_hand_is_closed() -> None:
    """Three runs that do not help open it for an hour."""
    found = replayed(fires(0, HOUR), world=knowing(closed={("sweep", "attic"): [T + 600]}))
    assert runs(found)[:4] == [0.0, 60.0, 120.0, 600.0]


def test_a_remedy_has_the_autonomy_that_it_had() -> None:
    asks_until = {"tidy": [(0.0, "approve"), (T + HOUR, "auto")]}
    found = replayed(fires(0, 2 * HOUR), world=knowing(levels=asks_until), assume="effective")
    assert runs(found) == [HOUR]


def test_runs_that_do_not_help_cost_a_remedy_its_autonomy() -> None:
    found = replayed(fires(0, 2 * HOUR), remedy=with_(trust=Trust(demote_after=2)))
    assert runs(found) == [0.0, 60.0]
    assert found.demoted == [(T + 60, "tidy", "approve")]
    assert replayed(fires(0, 2 * HOUR), remedy=with_(trust=Trust(demote_after=2)), assume="effective").demoted == []


def test_a_budget_is_asked_with_the_plans_that_the_record_knows() -> None:
    plans = {("sweep", "attic"): [Planned(T - 60, 30, 3), Planned(T + 3 * HOUR, 90, 9)]}
    limited = with_(budget=Budget(items_per_run=5, items_per_day=7), cooldown=0.0)
    hourly = [fires(number * HOUR, number * HOUR + 60) for number in range(6)]
    found = replayed(*hourly, remedy=limited, world=knowing(plans=plans), assume="effective")
    assert [run.begins - T for run in found.runs if run.outcome == "effective"] == [0.0, HOUR]
    assert [(at - T, guard) for at, *_, guard in decided(found.decisions) if guard] == [
        (number * HOUR, "budget") for number in range(2, 6)
    ]
    unknown = replayed(*hourly, remedy=limited, assume="effective")
    assert len(unknown.runs) == 6


def test_pauses_are_put_together_from_the_audit() -> None:
    def record(number: int, at: float, kind: str, **body: object) -> Record:
        return chained(Entry(kind, at, None, body), "here", number, "0" * 64)  # type: ignore[arg-type]

    records = [
        record(1, 10, "pause.set", task=None, reason="a", seconds=100),
        record(2, 20, "pause.set", task="t", reason="b", seconds=None),
        record(3, 50, "pause.set", task=None, reason="c", seconds=10),
        record(4, 70, "pause.ended", task=None),
        record(5, 90, "pause.ended", task="t"),
        record(6, 95, "breaker.closed", task="t", target="x"),
        record(7, 96, "autonomy.demoted", remedy="r", before="auto", after="approve", reason=""),
        record(8, 97, "autonomy.promoted", remedy="other", before="observe", after="approve", reason=""),
    ]
    assert [(one.task, one.since, one.until) for one in pauses_of(records)] == [
        (None, 10.0, 50.0),
        ("t", 20.0, 90.0),
        (None, 50.0, 60.0),
    ]
    known = Known(1.0, pauses_of(records), closed_of(records), levels_of(records, ["r"]))
    assert [len(known.paused("t", at)) for at in (5.0, 15.0, 25.0, 55.0, 65.0, 91.0)] == [0, 1, 2, 2, 1, 0]
    assert (known.closed_at(("t", "x"), 94.0), known.closed_at(("t", "x"), 96.0)) == (0.0, 95.0)
    assert [known.level("r", at) for at in (1.0, 96.0)] == ["auto", "approve"]
    assert known.level("other", 99.0) is None
