"""The token bucket."""

from exporter.web.token_bucket import TokenBucket
from tests.exporter.fakes import FakeClock


def test_a_burst_and_then_one_an_interval() -> None:
    clock = FakeClock(100.0)
    bucket = TokenBucket(2.0, 3, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.wait == 2.0
    clock.now += 1.5
    assert not bucket.take()
    clock.now += 0.5
    assert bucket.take()
    assert not bucket.take()


def test_it_holds_no_more_than_the_burst() -> None:
    clock = FakeClock(100.0)
    bucket = TokenBucket(1.0, 2, clock)
    clock.now += 1000
    assert [bucket.take() for _ in range(3)] == [True, True, False]
