"""What must hold of every guard, searched for in generated settings and facts."""

from datetime import UTC
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ByteSize

from remediator.config.guards import Breaker, Budget, GuardSettings, Rate, Storm, in_force
from remediator.config.window import DAYS, Window
from remediator.guards.breaker import BREAKER
from remediator.guards.budget import BUDGET, Spending
from remediator.guards.cooldown import COOLDOWN
from remediator.guards.guard import Case, Facts, Guard
from remediator.guards.history import History
from remediator.guards.rate import RATE
from remediator.guards.storm import STORM, Alerting
from remediator.guards.window import WINDOW, MachineZone
from remediator.model.hold import DAY, PastRun
from remediator.store.spending import Spent
from tests.remediator.guards.cases import SUBJECT

NOW = 1_795_000_000.0
agos = st.floats(min_value=0, max_value=2 * DAY, allow_nan=False)
spans = st.floats(min_value=0, max_value=2 * DAY, allow_nan=False)
counts = st.integers(min_value=1, max_value=6)
clocks = st.integers(0, 23 * 60 + 59).map(lambda at: f"{at // 60:02}:{at % 60:02}")


@st.composite
def windows(draw: st.DrawFn) -> Window:
    begins, ends = draw(st.lists(clocks, min_size=2, max_size=2, unique=True))
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
    zone = draw(st.sampled_from(["Europe/Berlin", "America/New_York", "Pacific/Chatham", "UTC", None]))
    return Window.model_validate({"from": begins, "to": ends, "days": days, "timezone": zone})


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Runs of a moment, newest first."""
    found = sorted(draw(st.lists(agos, max_size=12)))
    return History(past=[PastRun(NOW - ago, NOW - ago, draw(st.booleans())) for ago in found])


@st.composite
def spendings(draw: st.DrawFn) -> Spending:
    found = sorted(draw(st.lists(agos.filter(lambda ago: ago < DAY), max_size=8)))
    return Spending([Spent(NOW - ago, draw(st.integers(0, 100)), draw(st.integers(0, 10))) for ago in found])


given_settings = st.builds(
    GuardSettings,
    cooldown=spans,
    rate=st.builds(Rate, per_hour=counts, per_day=counts),
    breaker=st.builds(Breaker, failures=counts, reset_after=spans),
    window=st.lists(windows(), max_size=3),
    budget=st.builds(
        Budget,
        bytes_per_day=st.integers(1, 300).map(ByteSize),
        items_per_day=st.integers(1, 30),
    ),
    storm=st.builds(Storm, alerts=counts, within=st.floats(min_value=1, max_value=DAY)),
)


def later(facts: Facts, now: float) -> Facts:
    """The same facts as they are read then: only what is not a day old was spent."""
    if isinstance(facts, Spending) and facts.spent is not None:
        return Spending([each for each in facts.spent if each.at is None or each.at > now - DAY])
    return facts


@settings(max_examples=150, deadline=None)
@given(given_settings, histories(), spendings(), st.lists(agos, max_size=12), st.integers(0, int(40 * DAY)))
def test_what_a_time_ends_has_ended_by_then(
    given: GuardSettings, history: History, spending: Spending, began: list[float], shift: int
) -> None:
    """To the last bit: an alert that is looked at when a guard said it would be over must not be looked at for ever."""
    guards: list[tuple[Guard[Any], Facts, float]] = [
        (COOLDOWN, history, NOW),
        (RATE, history, NOW),
        (BREAKER, history, NOW),
        (BUDGET, spending, NOW),
        (STORM, Alerting(sorted((NOW - ago for ago in began), reverse=True)), NOW),
        (WINDOW, MachineZone(UTC), NOW + shift),
    ]
    for guard, facts, now in guards:
        hold = guard.blocks(facts, Case(SUBJECT, given, now))
        if hold is None:
            assert guard.says(facts, Case(SUBJECT, given, now))
        elif hold.until is not None:
            assert hold.until > now, guard.name
            assert guard.blocks(later(facts, hold.until), Case(SUBJECT, given, hold.until)) is None, guard.name


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from(["per_hour", "per_day"])), st.integers(1, 9), st.integers(1, 9))
def test_a_key_is_the_remedys_own_or_that_of_all(said: set[str], own: int, general: int) -> None:
    mine = GuardSettings.model_validate({"rate": dict.fromkeys(said, own)} if said else {})
    everyones = GuardSettings(rate=Rate(per_hour=general, per_day=general))
    found = in_force(mine, everyones).rate
    for key in ("per_hour", "per_day"):
        assert getattr(found, key) == (own if key in said else general)
