"""So much is wrong at once that nothing runs by itself."""

from dataclasses import replace

import pytest

from remediator.config.guards import GuardSettings, Storm
from remediator.guards.storm import Alerting, blocks
from tests.remediator.guards.cases import NOW, case

SETTINGS = GuardSettings(storm=Storm(alerts=2, within=600.0))


@pytest.mark.parametrize(
    ("agos", "until"),
    [
        pytest.param([], None, id="calm"),
        pytest.param([1, 2], None, id="as many as allowed"),
        pytest.param([1, 2, 3], NOW - 3 + 600, id="one more"),
        pytest.param([1, 2, 600], None, id="the third is too long ago"),
        pytest.param([1, 2, 30, 40], NOW - 30 + 600, id="over when two are left"),
    ],
)
def test_how_many(agos: list[float], until: float | None) -> None:
    facts = Alerting([NOW - ago for ago in agos])
    hold = blocks(facts, case(SETTINGS))
    assert (hold.until if hold is not None else None) == until
    if until is not None:
        assert blocks(facts, case(SETTINGS, now=until)) is None
        assert blocks(facts, case(SETTINGS, now=until - 0.001)) is not None
        assert blocks(facts, replace(case(SETTINGS), by_hand=True)) is None


def test_a_lost_watchdog_holds_whatever_the_settings_but_not_a_person() -> None:
    facts = Alerting(lost="the Watchdog is lost")
    hold = blocks(facts, case())
    assert hold is not None
    assert (hold.reason, hold.until) == ("the Watchdog is lost", NOW + 60)
    assert blocks(facts, replace(case(), by_hand=True)) is None


def test_what_was_not_counted_is_no_calm() -> None:
    assert blocks(Alerting(), case()) is None
    with pytest.raises(LookupError):
        blocks(Alerting(), case(SETTINGS))
