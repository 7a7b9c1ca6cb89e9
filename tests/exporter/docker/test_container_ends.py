"""What is remembered of how containers ended."""

from exporter.docker.container_ends import End, Ends
from exporter.docker.containers import Inspected, ListedContainer
from exporter.docker.events import Event


def container(key: str = "c", **facts: object) -> ListedContainer:
    return ListedContainer(key, key, "running", inspected=Inspected(**facts))  # type: ignore[arg-type]


def test_an_exit_code_outlives_the_next_start() -> None:
    ends = Ends()
    assert ends.update([container(exit_code=3)], [], {}, 100.0) == {"c": End(3)}
    assert ends.update([container()], [], {}, 115.0) == {"c": End(3)}
    assert ends.update([container()], [Event("c", 116.0, 0), Event("c", 117.0, 4)], {}, 130.0) == {"c": End(4)}


def test_what_the_engine_says_of_a_stopped_container_goes_before_older_events() -> None:
    assert Ends().update([container(exit_code=0)], [Event("c", 90.0, 3)], {}, 100.0) == {"c": End(0)}


def test_a_kill_is_known_by_its_event_by_the_end_or_by_the_kernel() -> None:
    by_event, by_end, by_kernel = Ends(), Ends(), Ends()
    assert by_event.update([container()], [Event("c", 90.0)], {}, 100.0) == {"c": End(oom_at=90.0)}
    assert by_end.update([container(exit_code=137, oom_at=95.0)], [], {}, 100.0) == {"c": End(137, 95.0)}
    assert by_end.update([container()], [], {}, 115.0) == {"c": End(137, 95.0)}
    assert by_kernel.update([container()], [], {"c": 3}, 100.0) == {"c": End()}, "long ago, as far as anybody knows"
    assert by_kernel.update([container()], [], {"c": 4}, 115.0) == {"c": End(oom_at=115.0)}
    assert by_kernel.update([container()], [], {"c": 4}, 130.0) == {"c": End(oom_at=115.0)}


def test_a_kill_with_its_event_has_the_time_of_the_event() -> None:
    ends = Ends()
    ends.update([container()], [], {"c": 0}, 100.0)
    assert ends.update([container()], [Event("c", 107.0)], {"c": 1}, 115.0) == {"c": End(oom_at=107.0)}


def test_the_count_of_the_kernel_begins_anew_with_each_start() -> None:
    ends = Ends()
    ends.update([container()], [Event("c", 99.0)], {"c": 2}, 100.0)
    assert ends.update([container()], [], {"c": 0}, 115.0) == {"c": End(oom_at=99.0)}


def test_containers_do_not_mix_and_are_forgotten_when_they_go() -> None:
    ends = Ends()
    ends.update([container(), container("d")], [Event("d", 90.0, 1), Event("gone", 91.0, 2)], {}, 100.0)
    assert ends.update([container(), container("d")], [], {}, 115.0) == {"c": End(), "d": End(1)}
    ends.update([container()], [], {}, 130.0)
    assert ends.update([container("d")], [], {}, 145.0) == {"d": End()}
