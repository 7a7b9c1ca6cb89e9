"""The time after a run before the next."""

import pytest

from remediator.guards.cooldown import blocks
from remediator.guards.history import History
from tests.remediator.guards.cases import NOW, RELAXED, case, ran


@pytest.mark.parametrize(("ago", "until"), [(59.9, NOW + 0.1), (60.0, None), (61.0, None)])
def test_it_ends_on_the_second(ago: float, until: float | None) -> None:
    hold = blocks(History(past=[ran(ago), ran(5000)]), case())
    assert (hold.until if hold is not None else None) == pytest.approx(until)


def test_without_a_run_or_without_a_cooldown_nothing_holds() -> None:
    assert blocks(History(), case()) is None
    assert blocks(History(past=[ran(0)]), case(RELAXED)) is None
