"""Counting kills for want of memory over restarts."""

from exporter.docker.oom import OomKills, OomLook


def look(started: float | None = 100.0, kernel: int | None = 0, oom_killed: bool = False, key: str = "c") -> OomLook:
    return OomLook(key, started, kernel, oom_killed)


def test_what_the_kernel_had_counted_before_counts() -> None:
    kills = OomKills()
    assert kills.update([look(kernel=3)], []) == {"c": 3}
    assert kills.update([look(kernel=4)], [("c", 120.0)]) == {"c": 4}


def test_a_new_container_killed_before_the_first_look_counts_once() -> None:
    assert OomKills().update([look(kernel=1)], [("c", 101.0)]) == {"c": 1}


def test_an_event_before_the_kernel_can_be_read_counts_once() -> None:
    kills = OomKills()
    assert kills.update([look(kernel=None)], [("c", 101.0)]) == {"c": 1}
    assert kills.update([look(kernel=1)], []) == {"c": 1}


def test_the_count_goes_on_over_a_restart() -> None:
    kills = OomKills()
    kills.update([look(kernel=0)], [])
    assert kills.update([look(started=150.0)], [("c", 149.0)]) == {"c": 1}
    assert kills.update([look(started=150.0, kernel=1)], [("c", 160.0)]) == {"c": 2}
    assert kills.update([look(started=200.0)], [("c", 199.0)]) == {"c": 3}


def test_several_restarts_between_two_looks() -> None:
    kills = OomKills()
    kills.update([look()], [])
    events = [("c", 110.0), ("c", 120.0), ("c", 131.0), ("c", 132.0)]
    assert kills.update([look(started=130.0, kernel=2)], events) == {"c": 4}
    assert kills.update([look(started=130.0, kernel=2)], []) == {"c": 4}


def test_an_end_by_a_kill_counts_once_with_and_without_its_event() -> None:
    heard, deaf = OomKills(), OomKills()
    for kills, events in ((heard, [("c", 120.0)]), (deaf, [])):
        kills.update([look()], [])
        assert kills.update([look(kernel=None, oom_killed=True)], events) == {"c": 1}
        assert kills.update([look(kernel=None, oom_killed=True)], []) == {"c": 1}
        assert kills.update([look(started=300.0)], []) == {"c": 1}


def test_events_that_the_engine_has_forgotten_are_made_up_for_by_the_kernel() -> None:
    kills = OomKills()
    kills.update([look()], [])
    assert kills.update([look(kernel=5)], [("c", 120.0)]) == {"c": 5}


def test_never_started_then_started() -> None:
    kills = OomKills()
    assert kills.update([look(started=None, kernel=None)], []) == {"c": 0}
    assert kills.update([look(started=100.0, kernel=1)], [("c", 101.0)]) == {"c": 1}


def test_containers_do_not_mix_and_are_forgotten_when_they_go() -> None:
    kills = OomKills()
    assert kills.update([look(), look(key="d")], [("d", 120.0), ("gone", 121.0)]) == {"c": 0, "d": 1}
    assert kills.update([look()], []) == {"c": 0}
    assert kills.update([look(), look(key="d")], []) == {"c": 0, "d": 0}


def test_an_event_that_comes_after_the_kernels_count_is_the_same_kill() -> None:
    kills = OomKills(heard_since=90.0)
    assert kills.update([look(kernel=1)], []) == {"c": 1}
    assert kills.update([look(kernel=1)], [("c", 101.0)]) == {"c": 1}
    assert kills.update([look(kernel=2)], [("c", 105.0)]) == {"c": 2}
