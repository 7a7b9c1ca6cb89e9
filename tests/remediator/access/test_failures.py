"""Failures are limited by address, in bounded memory."""

from remediator.access.failures import BURST, INTERVAL, MOST, Failures


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_so_many_failures_and_then_one_each_interval() -> None:
    clock = Clock()
    failures = Failures(clock)
    assert [failures.too_many("a") for _ in range(BURST)] == [0] * BURST
    assert failures.too_many("a") == INTERVAL
    assert failures.too_many("b") == 0
    clock.now += INTERVAL
    assert failures.too_many("a") == 0
    assert failures.too_many("a") > 0


def test_the_addresses_that_are_remembered_are_bounded() -> None:
    failures = Failures(Clock())
    for _ in range(BURST):
        failures.too_many("busy")
    for number in range(MOST - 1):
        failures.too_many(str(number))
    assert failures.too_many("busy") > 0, "the one that failed last is not forgotten"
    for number in range(MOST):
        failures.too_many(f"more {number}")
    assert len(failures._buckets) == MOST
