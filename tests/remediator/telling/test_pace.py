"""How often people are told, whatever happens: tried for many courses of events. Pure."""

import random
from itertools import pairwise

from remediator.telling.pace import APART, CROWDED, FREELY, HOUR, next_at

SEED = 20261128


def day(seed: int) -> list[float]:
    """When messages went on a day on which something was to be told at random times, often in bursts."""
    rng = random.Random(seed)
    now, sent = 0.0, list[float]()
    while now < 24 * HOUR:
        now += rng.choice((1.0, 5.0, 40.0, 400.0, 4000.0)) * rng.random()
        if now >= next_at([at for at in sent if at > now - HOUR], now):
            sent.append(now)
    return sent


def test_messages_keep_apart_and_are_never_many() -> None:
    for seed in range(SEED, SEED + 20):
        sent = day(seed)
        assert min(after - before for before, after in pairwise(sent)) >= APART
        for start in sent:
            hour = [at for at in sent if start <= at < start + HOUR]
            assert len(hour) <= FREELY + HOUR / CROWDED + 1, f"seed {seed}"


def test_the_first_goes_at_once_and_a_quiet_hour_forgets() -> None:
    assert next_at([], 1000.0) == 1000.0
    assert next_at([1000.0], 1010.0) == 1000.0 + APART
    crowd = [1000.0 + APART * number for number in range(FREELY)]
    assert next_at(crowd, 1200.0) == crowd[-1] + CROWDED
    assert next_at(crowd, crowd[-1] + HOUR) == crowd[-1] + HOUR
