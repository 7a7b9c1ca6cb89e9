"""So many runs in any hour, and in any day."""

import pytest

from remediator.guards.history import History
from remediator.guards.rate import blocks
from remediator.model.hold import DAY, HOUR
from tests.remediator.guards.cases import NOW, RELAXED, case, ran


@pytest.mark.parametrize(
    ("agos", "until"),
    [
        pytest.param([100, 200, HOUR - 1], NOW + 1, id="full hour"),
        pytest.param([100, 200, HOUR], None, id="hour has room again"),
        pytest.param([HOUR * n for n in (2, 3, 4, 5, 6)], NOW + 18 * HOUR, id="full day"),
        pytest.param([*(HOUR * n for n in (2, 3, 4, 5)), DAY], None, id="day has room again"),
        # Four ran where three are allowed: there is room again when the third newest is an hour old.
        pytest.param([100, 200, 300, 400], NOW + HOUR - 300, id="more than allowed"),
        pytest.param([100, 200, 300, 400, 500], NOW + DAY - 500, id="the later of two"),
    ],
)
def test_when_there_is_room(agos: list[float], until: float | None) -> None:
    history = History(past=[ran(ago) for ago in agos])
    hold = blocks(history, case())
    assert (hold.until if hold is not None else None) == until
    if until is not None:
        assert blocks(history, case(now=until - 0.001)) is not None
        assert blocks(history, case(now=until)) is None
    assert blocks(history, case(RELAXED)) is None
