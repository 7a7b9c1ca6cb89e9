"""When the always-firing alert counts as lost."""

from prometheus_client import CollectorRegistry

from remediator.config.peers import Watchdog as Settings
from remediator.webhook.watchdog import Watchdog, WatchdogState, judge

SETTINGS = Settings(lost_after=600.0)


def test_what_never_came_and_is_not_routed_here_is_not_lost() -> None:
    assert judge(None, False, 1e9, SETTINGS, 0.0) == WatchdogState()


def test_it_is_lost_when_it_was_expected_and_is_silent_for_too_long() -> None:
    assert judge(5.0, False, 599.0, SETTINGS, 1000.0) == WatchdogState(5.0)
    assert judge(5.0, False, 601.0, SETTINGS, 1000.0) == WatchdogState(5.0, lost_since=999.0, stops=True)
    assert judge(None, True, 601.0, SETTINGS, 1000.0).lost
    told = judge(5.0, False, 601.0, SETTINGS.model_copy(update={"stops": False}), 1000.0)
    assert (told.lost, told.stops) == (True, False)


def test_in_a_process() -> None:
    now, found = [1000.0], []
    watchdog = Watchdog(lambda: SETTINGS, lambda: now[0] + 1e6, lambda: found.append(1), ticks=lambda: now[0])
    registry = CollectorRegistry()
    watchdog.register(registry)

    def figures() -> tuple[float | None, float | None]:
        names = ("upkeeper_watchdog_lost", "upkeeper_watchdog_last_timestamp_seconds")
        return registry.get_sample_value(names[0]), registry.get_sample_value(names[1])

    now[0] += 9999.0
    assert figures() == (0.0, 0.0), "a command listens for nothing"
    watchdog.begin(last=777.0)
    now[0] += 599.0
    assert (figures(), watchdog.reason()) == ((0.0, 777.0), "")
    now[0] += 61.0
    assert figures() == (1.0, 777.0)
    assert watchdog.reason().startswith("the alert Watchdog has not come for 11m: ")
    watchdog.heard()
    assert figures() == (0.0, now[0] + 1e6)
    assert (watchdog.reason(), found) == ("", [1])
    watchdog.heard()
    assert found == [1]
