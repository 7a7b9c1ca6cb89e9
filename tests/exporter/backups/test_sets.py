"""Which sets count, of when they are, and what they amount to."""

import time

import pytest

from exporter.backups.sets import SKEW_SECONDS, BackupSet, Content, compared, figures, judge

NOW = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
HOUR = 3600.0
DAY = 24 * HOUR


def content(size: int = 100, age: float = DAY, changed: float | None = None, **fields: object) -> Content:
    """age: seconds since a file was written last. changed: since anything changed."""
    changes = {"bytes": size, "newest_file": NOW - age, "last_change": NOW - (age if changed is None else changed)}
    return Content(**(changes | fields))  # type: ignore[arg-type]


def judged(
    found: Content, name: str = "backup", marker: bool = False, temporary: bool = False, settle: float = 300
) -> BackupSet:
    return judge(name, found, marker=marker, settle=settle, temporary=temporary, now=NOW)


def test_one_without_a_marker_is_complete_once_it_rests() -> None:
    assert judged(content(changed=299)).state == "in_progress"
    assert judged(content(changed=300)).state == "complete"
    assert judged(content(changed=1), settle=0).state == "complete"


def test_one_with_its_marker_is_complete_at_once_and_one_without_never() -> None:
    assert judged(content(changed=1, marked=True), marker=True).state == "complete"
    assert judged(content(changed=1), marker=True).state == "in_progress"
    assert judged(content(changed=DAY), marker=True).state == "incomplete"


def test_a_temporary_name_never_counts_not_even_with_the_marker() -> None:
    assert judged(content(changed=1, marked=True), temporary=True).state == "in_progress"
    assert judged(content(changed=DAY, marked=True), temporary=True).state == "incomplete"


def test_nothing_in_it_is_no_backup() -> None:
    assert judged(content(size=0)).state == "incomplete"
    assert judged(Content(last_change=NOW - DAY)).state == "incomplete"


def test_files_that_hold_nothing_are_no_backup_not_even_with_the_marker() -> None:
    assert judged(content(hollow=True)).state == "incomplete"
    assert judged(content(hollow=True, marked=True), marker=True).state == "incomplete"
    assert judged(content(hollow=True, changed=1)).state == "in_progress", "more may come"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (NOW - HOUR, NOW - HOUR),
        (NOW - 91 * DAY, NOW - 90 * DAY),  # a file was written into it later, below a directory of its own
        (NOW + HOUR, NOW - 90 * DAY),  # which is not believed
    ],
)
def test_an_undated_set_is_as_new_as_the_newer_of_its_files_and_its_directory(own: float, expected: float) -> None:
    assert judged(content(age=90 * DAY, own_time=own), "daily.0").date == expected
    dated = judged(content(age=90 * DAY, own_time=own), "backup-2026-08-26")
    assert dated.date == judged(content(age=90 * DAY), "backup-2026-08-26").date


def test_what_cannot_be_read_wholly_counts_only_with_its_marker_and_then_has_no_size() -> None:
    assert judged(content(unreadable=1)).state == "unreadable"
    assert judged(Content(unreadable=1)).state == "unreadable"
    marked = judged(content(unreadable=1, marked=True))
    assert (marked.state, marked.bytes) == ("complete", None)


@pytest.mark.parametrize(
    ("name", "age", "changed", "expected"),
    [
        ("backup", 5 * HOUR, 5 * HOUR, NOW - 5 * HOUR),
        ("backup-2026-11-24_020000", 5 * HOUR, 5 * HOUR, NOW - 10 * HOUR),
        ("backup-2026-11-24", 5 * HOUR, 5 * HOUR, NOW - 5 * HOUR),
        # The files keep the times of what they are copies of.
        ("backup-2026-11-23", 90 * DAY, 30 * HOUR, NOW - 30 * HOUR),
        # Copied here days later: the day of its name bounds it.
        ("backup-2026-11-20", HOUR, HOUR, NOW - 3 * DAY - 12 * HOUR - 1),
        ("backup-2026-11-24", 90 * DAY, 90 * DAY, NOW - 12 * HOUR),
        # A name of the future is not believed.
        ("backup-2027-11-24", 5 * HOUR, 5 * HOUR, NOW - 5 * HOUR),
        ("backup-2026-11-24_235959", 5 * HOUR, 5 * HOUR, NOW - 5 * HOUR),
        # Clocks differ a little.
        ("backup-2026-11-24_120459", 5 * HOUR, 5 * HOUR, NOW + 299),
    ],
)
def test_the_date(name: str, age: float, changed: float, expected: float) -> None:
    found = judged(content(age=age, changed=changed), name)
    assert (found.state, found.date) == ("complete", expected)


@pytest.mark.parametrize("marked", [True, False])
def test_all_of_it_in_the_future_counts_as_nothing(marked: bool) -> None:
    found = judged(content(age=-SKEW_SECONDS - 1, changed=DAY, marked=marked), "backup-2030-01-01")
    assert (found.state, found.date) == ("future", None)


def sets(*days_and_sizes: tuple[int, int | None]) -> list[BackupSet]:
    return [BackupSet(f"{days}", "complete", NOW - days * DAY, size) for days, size in days_and_sizes]


def test_nothing_at_all() -> None:
    found = figures([])
    assert (found.sets, found.newest, found.oldest, found.newest_bytes, found.expected_bytes) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert found.uncounted == {"incomplete": 0, "unreadable": 0, "future": 0}


def test_only_complete_sets_count() -> None:
    found = figures(
        [
            *sets((1, 10), (3, 30)),
            BackupSet("a", "in_progress", NOW, 1),
            BackupSet("b", "incomplete", NOW, 1),
            BackupSet("c", "future", None, 1),
            BackupSet("d", "future", NOW + DAY, 1),
            BackupSet("e", "unreadable", NOW - 9 * DAY, None),
        ]
    )
    assert (found.sets, found.newest, found.oldest, found.newest_bytes) == (2, NOW - DAY, NOW - 3 * DAY, 10)
    assert found.in_progress == 1
    assert found.uncounted == {"incomplete": 1, "unreadable": 1, "future": 2}


def test_the_expected_size_is_the_median_of_the_seven_before_the_newest() -> None:
    assert figures(sets((1, 1), (2, 100), (3, 101))).expected_bytes is None
    assert figures(sets((1, 1), (2, 100), (3, 101), (4, 5000))).expected_bytes == 101
    many = sets(*((day, day) for day in range(1, 100)))
    assert figures(many).expected_bytes == 5  # of 2 to 8
    assert [each.name for each in compared(many)] == ["1", "2", "3", "4", "5", "6", "7", "8"]


def test_sets_of_unknown_size_are_not_compared() -> None:
    found = figures(sets((1, None), (2, 100), (3, None), (4, 200), (5, 300)))
    assert (found.newest_bytes, found.expected_bytes) == (None, 200)
    assert figures(sets((1, 1), (2, 100), (3, None), (4, 200))).expected_bytes is None


def test_of_two_of_one_moment_the_name_decides_and_the_order_does_not() -> None:
    twins = [BackupSet("a", "complete", NOW, 1), BackupSet("b", "complete", NOW, 2)]
    assert figures(twins).newest_bytes == figures(twins[::-1]).newest_bytes == 2
