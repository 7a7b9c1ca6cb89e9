"""A pause holds until it is over, or until somebody resumes."""

import pytest

from remediator.guards.paused import Pauses, blocks
from remediator.model.hold import Hold, Pause
from tests.remediator.guards.cases import NOW, case


@pytest.mark.parametrize(
    ("pauses", "hold"),
    [
        ([], None),
        ([Pause(None, "holiday", 0.0, None)], Hold("all tasks are paused: holiday")),
        ([Pause("t", "x", 0.0, NOW + 1)], Hold("task t is paused for another 1s: x", NOW + 1)),
        ([Pause("t", "x", 0.0, NOW)], None),
        ([Pause(None, "over", 0.0, NOW), Pause("t", "x", 0.0, None)], Hold("task t is paused: x")),
    ],
)
def test_which_pause_holds_and_until_when(pauses: list[Pause], hold: Hold | None) -> None:
    assert blocks(Pauses(pauses), case()) == hold
