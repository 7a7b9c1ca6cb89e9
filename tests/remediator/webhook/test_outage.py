"""When a new start is the same outage."""

from dataclasses import replace

from remediator.model.episode import Episode
from remediator.webhook.outage import NEAR, Restarts, goes_on

FIRING = Episode(id=1, fingerprint="a" * 16, starts_at=1000.0, ends_at=None, first_received_at=1005.0, heard_at=2000.0)
ENDED = replace(FIRING, ends_at=1600.0, heard_at=1610.0)


def test_without_a_restart_a_new_start_is_a_new_episode() -> None:
    assert not goes_on(FIRING, 2100.0, Restarts())
    assert not goes_on(ENDED, 1700.0, Restarts())
    assert not goes_on(FIRING, 2100.0, Restarts([10.0], 20.0))


def test_a_start_of_alertmanager_explains_a_new_start_of_what_fires() -> None:
    for starts_at in (1001.0, 1900.0, 2100.0):  # it is whatever start Prometheus has by now
        assert goes_on(FIRING, starts_at, Restarts([2050.0]))
    assert goes_on(FIRING, 2100.0, Restarts([10.0, 2050.0])), "one of two was restarted"
    assert not goes_on(FIRING, 2100.0, Restarts([1004.0])), "before the alert was known"
    assert not goes_on(FIRING, 2051.0 + NEAR, Restarts([2050.0])), "long after it"
    assert not goes_on(FIRING, 9000.0, Restarts([8999.0])), "nothing had been heard of it for long"


def test_no_start_of_alertmanager_makes_an_end() -> None:
    assert not goes_on(ENDED, 1700.0, Restarts([1500.0]))


def test_a_start_of_prometheus_makes_an_end_and_a_new_start() -> None:
    # As it was seen: restarted at 391 s, Alertmanager let the alert end at 569 s, it fired again at 732 s.
    before = replace(ENDED, starts_at=100.0, ends_at=569.0)
    assert goes_on(before, 732.0, Restarts([1.0], 391.0))
    # It was down for longer than its alerts last.
    assert goes_on(replace(before, ends_at=640.0), 1300.0, Restarts([1.0], 900.0))
    assert not goes_on(before, 900.0 + NEAR, Restarts([1.0], 391.0)), "long after it"
    assert not goes_on(before, 732.0, Restarts([1.0], 99.0)), "before the first"


def test_an_older_start_goes_on_from_nothing() -> None:
    assert not goes_on(FIRING, 900.0, Restarts([2050.0], 2050.0))
