"""The guards that there are."""

from remediator.guards.history import History
from remediator.guards.registry import GUARDS
from tests.remediator.guards.cases import RECORDED, RELAXED, UNTIL_RESUMED, blocking, case, judged, ran


def test_every_guard_that_blocks_is_named_in_order() -> None:
    everything = History(in_flight=1, past=[ran(1, helped=False)] * 5)
    assert blocking(judged(everything, [UNTIL_RESUMED])) == ["paused", "in-flight", "breaker", "cooldown", "rate"]
    assert [guard.name for guard in RECORDED] == blocking(judged(everything, [UNTIL_RESUMED]))
    assert blocking(judged(History(past=[ran(1)]), asked=case(RELAXED))) == []


def test_no_two_have_a_name_in_common() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
