"""What tests wait with."""

import itertools

import pytest

from tests.helpers import Hopeless, wait_until


async def test_the_first_true_result_is_given() -> None:
    results = iter(["", None, "x", "y"])
    assert await wait_until(lambda: next(results)) == "x"


async def test_the_first_that_equals_is_given_though_it_is_false() -> None:
    counts = itertools.count(-3)
    assert await wait_until(lambda: next(counts), equals=0) == 0


async def test_a_coroutine_is_awaited_and_what_it_asserts_or_cannot_reach_is_not_yet() -> None:
    errors = iter([ConnectionRefusedError(), AssertionError("not yet"), None])

    async def condition() -> str:
        if (error := next(errors)) is not None:
            raise error
        return "well"

    assert await wait_until(condition) == "well"


async def test_in_vain_it_tells_what_was_last_seen() -> None:
    with pytest.raises(AssertionError, match=r"^waited 0 s in vain for the answer to be 42: last was 41$"):
        await wait_until(lambda: 41, equals=42, timeout=0, what="the answer")

    def down() -> None:
        raise AssertionError("it said: no")

    with pytest.raises(AssertionError, match=r"last was AssertionError: it said: no"):
        await wait_until(down, timeout=0)


async def test_what_cannot_come_any_more_is_told_at_once() -> None:
    def ended() -> None:
        raise Hopeless("its last words")

    with pytest.raises(Hopeless, match="its last words"):
        await wait_until(ended)
