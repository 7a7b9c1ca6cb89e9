"""Each guard at its edges, with the time passed in."""

from dataclasses import replace

import pytest

from remediator.config.remedies import Breaker, Rate
from remediator.guards.breaker import breaker_open_since
from remediator.guards.evaluate import GUARDS, evaluate, over_at
from remediator.model.hold import DAY, HOUR, Facts, Limits, PastRun, Pause

NOW = 1_000_000.0
LIMITS = Limits(cooldown=60.0, rate=Rate(per_hour=3, per_day=5), breaker=Breaker(failures=3, reset_after=1000.0))
RELAXED = Limits(cooldown=0.0, rate=Rate(per_hour=99, per_day=99), breaker=Breaker(failures=99))


def ran(ago: float, *, helped: bool = True) -> PastRun:
    return PastRun(started_at=NOW - ago, finished_at=NOW - ago, helped=helped)


def blocking(facts: Facts, limits: Limits = LIMITS) -> list[str]:
    return [block.guard for block in evaluate(facts, limits)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(Facts(NOW), [], id="nothing against it"),
        pytest.param(Facts(NOW, pauses=[Pause(None, "holiday", 0.0, None)]), ["paused"], id="all paused"),
        pytest.param(Facts(NOW, pauses=[Pause("t", "x", 0.0, NOW + 1)]), ["paused"], id="paused for another second"),
        pytest.param(Facts(NOW, pauses=[Pause("t", "x", 0.0, NOW)]), [], id="pause over this moment"),
        pytest.param(Facts(NOW, in_flight=7), ["in-flight"], id="in flight"),
        pytest.param(Facts(NOW, past=[ran(59.9)]), ["cooldown"], id="cooldown not over"),
        pytest.param(Facts(NOW, past=[ran(60.0)]), [], id="cooldown over"),
        pytest.param(Facts(NOW, past=[ran(100), ran(200), ran(HOUR - 1)]), ["rate"], id="full hour"),
        pytest.param(Facts(NOW, past=[ran(100), ran(200), ran(HOUR)]), [], id="hour has room again"),
        pytest.param(Facts(NOW, past=[ran(HOUR * n) for n in (2, 3, 4, 5, 6)]), ["rate"], id="full day"),
        pytest.param(Facts(NOW, past=[ran(HOUR * n) for n in (2, 3, 4, 5)] + [ran(DAY)]), [], id="day has room again"),
    ],
)
def test_each_guard(facts: Facts, expected: list[str]) -> None:
    assert blocking(facts) == expected


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
def test_breaker(past: list[PastRun], closed_at: float, opened: float | None) -> None:
    facts = Facts(NOW, past=past, breaker_closed_at=closed_at)
    assert breaker_open_since(facts, LIMITS.breaker) == opened
    assert ("breaker" in blocking(facts)) == (opened is not None)


def test_every_guard_that_blocks_is_named_in_order() -> None:
    facts = Facts(NOW, pauses=[Pause(None, "x", 0.0, None)], in_flight=1, past=[ran(1, helped=False)] * 5)
    assert blocking(facts) == ["paused", "in-flight", "breaker", "cooldown", "rate"]
    assert [guard.name for guard in GUARDS] == blocking(facts)
    assert blocking(Facts(NOW, past=[ran(1)]), RELAXED) == []


def test_a_guard_that_cannot_be_evaluated_blocks() -> None:
    class Broken:
        name = "broken"

        def blocks(self, facts: Facts, limits: Limits) -> str | None:
            raise ZeroDivisionError

    (block,) = evaluate(Facts(NOW), LIMITS, [Broken()])
    assert block.guard == "broken"
    assert "could not be evaluated: ZeroDivisionError" in block.reason


@pytest.mark.parametrize(
    ("facts", "until"),
    [
        (Facts(NOW, pauses=[Pause(None, "x", 0.0, NOW + 33)]), NOW + 33),
        (Facts(NOW, pauses=[Pause(None, "x", 0.0, None)]), None),
        (Facts(NOW, in_flight=7), None),
        (Facts(NOW, past=[ran(100, helped=False)] * 3), NOW + 3500),
        (Facts(NOW, past=[ran(10)]), NOW + 50),
        # Five ran where three are allowed: there is room again when the third newest is an hour old.
        (Facts(NOW, past=[ran(ago) for ago in (100, 200, 300, 400, 500)]), NOW + DAY - 500),
        (Facts(NOW, past=[ran(ago) for ago in (100, 200, 300, 400)]), NOW + HOUR - 300),
    ],
)
def test_each_guard_tells_when_it_ends(facts: Facts, until: float | None) -> None:
    blocks = evaluate(facts, LIMITS)
    assert over_at(blocks) == until
    if until is not None:
        later = replace(facts, now=until)
        assert evaluate(later, LIMITS) == []
        assert evaluate(replace(facts, now=until - 0.001), LIMITS) != []
