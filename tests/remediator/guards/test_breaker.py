"""Runs that did not help, several in a row."""

from dataclasses import replace

import pytest

from remediator.guards.breaker import blocks
from remediator.guards.history import History
from remediator.model.hold import PastRun
from tests.remediator.guards.cases import NOW, case, ran


@pytest.mark.parametrize(
    ("past", "closed_at", "opened"),
    [
        pytest.param([ran(100, helped=False)] * 2, 0.0, None, id="two failures are not three"),
        pytest.param([ran(100, helped=False)] * 3, 0.0, NOW - 100, id="three in a row open it"),
        pytest.param([ran(100), *[ran(200, helped=False)] * 3], 0.0, None, id="one that helped closes it"),
        pytest.param([*[ran(100, helped=False)] * 2, ran(150), ran(200, helped=False)], 0.0, None, id="not in a row"),
        pytest.param([ran(100, helped=False)] * 3, NOW - 100, None, id="closed by hand since"),
        pytest.param([ran(100, helped=False)] * 3, NOW - 101, NOW - 100, id="failed again after it was closed"),
        pytest.param([ran(999, helped=False)] * 3, 0.0, NOW - 999, id="reset time not over"),
        pytest.param([ran(1000, helped=False)] * 3, 0.0, None, id="closes by itself"),
    ],
)
def test_when_it_is_open(past: list[PastRun], closed_at: float, opened: float | None) -> None:
    hold = blocks(History(past=past, closed_at=closed_at), case())
    assert (hold.since if hold is not None else None) == opened
    if hold is not None:
        assert hold.until == hold.since + 1000.0  # type: ignore[operator]
        assert blocks(History(past=past, closed_at=closed_at), replace(case(), now=hold.until)) is None  # type: ignore[arg-type]
