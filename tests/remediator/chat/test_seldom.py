"""What others cause is said at once, then seldom and with its number, in bounded memory."""

from remediator.chat.seldom import EVERY, MOST, Seldom


def test_it_is_said_once_in_a_while_with_how_often_it_was() -> None:
    now = 0.0
    seldom = Seldom(lambda: now)
    assert [seldom.due("a") for _ in range(5)] == [1, 0, 0, 0, 0]
    assert seldom.due("b") == 1
    now = EVERY
    assert [seldom.due("a"), seldom.due("a")] == [5, 0]


def test_many_things_take_no_memory_without_end() -> None:
    seldom = Seldom(lambda: 0.0)
    for number in range(10 * MOST):
        assert seldom.due(number) == 1
    assert len(seldom._said) == MOST
