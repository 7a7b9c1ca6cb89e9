"""What is kept and what goes, over histories that are made up: never the last proven set, never what a rule keeps."""

import random
import time
from datetime import UTC, datetime

import pytest

from exporter.backups.proofs import Proofs, Shown
from exporter.backups.retention import Retention, is_proven, retention
from exporter.backups.sets import BackupSet, State
from exporter.inventory.backups import Backup

DAY = 86400.0
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
SOUND: Proofs = {"checksums": Shown(True, NOW), "readable": Shown(True, NOW)}
SUMS: Proofs = {"checksums": Shown(True, NOW)}
BROKEN: Proofs = {"checksums": Shown(True, NOW), "readable": Shown(False, NOW, "ends early")}


def backup(**keep: object) -> Backup:
    given = {"name": "pa", "path": "/b", "pattern": "b-*", "make": {"files": ["/etc"]}, "max_age": "2d", "keep": keep}
    return Backup.model_validate(given)


def made(days: float, proofs: Proofs = SOUND, size: int = 100, state: State = "complete") -> BackupSet:
    return BackupSet(f"b-{days:g}", state, None if state == "future" else NOW - days * DAY, size, proofs)


def names(found: Retention) -> list[str]:
    return [kept.set.name for kept in found.keep]


def whys(found: Retention) -> list[str]:
    return [refusal.why for refusal in found.refusals]


def judged(sets: list[BackupSet], **keep: object) -> Retention:
    return retention(sets, backup(**keep), NOW, UTC)


def test_each_rule_keeps_what_it_says_and_says_so() -> None:
    sets = [made(days / 2) for days in range(1, 200)]
    found = judged(sets, within="2d", last=1, daily=4, weekly=3, monthly=2)
    reasons = {kept.set.name: list(kept.reasons) for kept in found.keep}
    assert reasons == {
        "b-0.5": ["within 2d", "last", "daily", "weekly", "monthly", "the newest proven"],  # Friday, 27th, 0:00
        "b-1": ["within 2d", "daily"],
        "b-1.5": ["within 2d"],
        "b-2": ["within 2d", "daily"],
        "b-3": ["daily"],
        "b-5": ["weekly"],  # Sunday, 22nd
        "b-12": ["weekly"],
        "b-27": ["monthly"],  # 31st of October
    }
    assert not found.refusals
    assert len(found.drop) + len(found.keep) == len(sets)


def test_years_and_nothing() -> None:
    sets = [made(days) for days in range(0, 1500, 30)]
    kept = names(judged(sets, yearly=3))
    assert kept == ["b-0", "b-360", "b-720"]
    without = Backup.model_validate({"name": "pa", "path": "/b", "pattern": "b-*"})
    assert not retention(sets, without, NOW, UTC).drop


def test_what_is_not_proven_pushes_nothing_out() -> None:
    """A new program that backs up nothing, for a week: the old sets that are proven count for themselves."""
    sets = [made(days, SUMS) for days in range(5)] + [made(days) for days in range(5, 10)]
    found = judged(sets, last=2)
    assert names(found) == ["b-0", "b-1", "b-2", "b-3", "b-4", "b-5", "b-6"]
    reasons = {kept.set.name: list(kept.reasons) for kept in found.keep}
    assert reasons["b-3"] == ["nothing newer is proven"]
    assert reasons["b-5"] == ["last of those that are proven", "the newest proven"]
    assert reasons["b-6"] == ["last of those that are proven"]


@pytest.mark.parametrize(
    ("proofs", "made_by_us", "proven"),
    [(SOUND, True, True), (SUMS, True, False), (BROKEN, True, False), ({}, True, False), (SUMS, False, True),
     ({"restored": Shown(True, NOW)}, True, True), ({"checksums": Shown(False, NOW)}, False, False)],
)  # fmt: skip
def test_what_is_proof(proofs: Proofs, made_by_us: bool, proven: bool) -> None:
    series = backup(last=1) if made_by_us else backup(last=1).model_copy(update={"make": None})
    assert is_proven(made(1, proofs), series) == proven


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        ([made(days) for days in range(9)], []),
        ([], []),
        ([*(made(days) for days in range(9)), made(-40, state="future")], ["future"]),
        ([made(0, size=49), *(made(days) for days in range(1, 9))], ["smaller"]),
        ([made(0, size=50), *(made(days) for days in range(1, 9))], []),
        ([made(days) for days in range(3, 9)], ["overdue"]),
        ([made(0), *(made(days) for days in range(20, 29))], ["gap"]),
        ([made(0), *(made(days) for days in range(6, 15))], []),
        ([made(0), *(made(days) for days in range(20, 300, 20))], []),
        ([made(days, SUMS) for days in range(9)], ["unproven"]),
        ([made(days, BROKEN) for days in range(9)], ["unproven"]),
    ],
)
def test_it_refuses_what_looks_wrong(sets: list[BackupSet], why: list[str]) -> None:
    assert whys(judged(sets, last=1)) == why


def test_a_set_whose_name_lies_ahead_is_refused_though_its_files_are_of_the_past() -> None:
    sets = [BackupSet("b-2027-03-01T020000Z", "complete", NOW - 60, 100, SOUND), *(made(days) for days in range(9))]
    assert whys(judged(sets, last=1)) == ["future"]


def test_what_could_go_if_all_was_in_order_is_counted() -> None:
    found = judged([made(days, SUMS) for days in range(9)], last=2)
    assert (found.drop, found.spare) == ([], 7)


def test_a_clock_that_jumped_ahead_is_refused_by_a_set_that_it_dates() -> None:
    """The set that was just made bears the date of the clock, so that it is not overdue: the gap tells."""
    later = NOW + 900 * DAY
    sets = [BackupSet("b-new", "complete", later - 60, 100, SOUND), *(made(days) for days in range(9))]
    found = retention(sets, backup(within="90d"), later, UTC)
    assert len(found.drop) > 0
    assert [refusal.why for refusal in found.refusals] == ["gap"]


STATES: list[State] = ["complete", "in_progress", "incomplete", "unreadable", "future"]


def history(rng: random.Random, count: int) -> list[BackupSet]:
    """Gaps, several a day, the same moment twice, sizes that differ, states and proofs of all kinds."""
    sets, days = [], rng.random() * 3
    for number in range(count):
        days += rng.choice([0, 0.01, 0.5, 1, 1, 1, 1, 7, 90 * (rng.random() < 0.01)])
        state: State = rng.choices(["complete", "in_progress", "incomplete", "unreadable", "future"], [90, 3, 3, 3, 1])[
            0
        ]
        date = None if state == "future" else NOW - days * DAY
        proofs = rng.choice([SOUND, SOUND, SUMS, BROKEN, {}])
        sets.append(BackupSet(f"b-{number}", state, date, rng.choice([None, 90, 100, 110, 1]), proofs))
    rng.shuffle(sets)
    return sets


@pytest.mark.parametrize("seed", range(60))
def test_never_the_last_proven_set_and_never_what_a_rule_keeps(seed: int) -> None:
    rng = random.Random(seed)
    sets = history(rng, rng.choice([1, 3, 30, 300]))
    rules = {
        "last": rng.randrange(4),
        "daily": rng.randrange(9),
        "weekly": rng.randrange(5),
        "monthly": rng.randrange(4),
    }
    series = backup(**(rules if any(rules.values()) else {"last": 1}))
    found = retention(sets, series, NOW, UTC)
    complete = sorted(
        (each for each in sets if each.state == "complete"), key=lambda each: (-(each.date or 0), each.name)
    )
    dropped = {each.name for each in found.drop}
    assert sorted([*names(found), *dropped]) == sorted(each.name for each in complete), "each set once, no other"
    assert all(kept.reasons for kept in found.keep)
    proven = [each for each in complete if is_proven(each, series)]
    assert not {each.name for each in proven[:1]} & dropped
    assert not {each.name for each in complete[: rules["last"]]} & dropped
    assert not {each.name for each in proven[: rules["last"]]} & dropped
    for some in (complete, proven):
        days: dict[str, str] = {}
        for each in some:
            days.setdefault(datetime.fromtimestamp(each.date or 0, UTC).date().isoformat(), each.name)
        assert not set(list(days.values())[: rules["daily"]]) & dropped
    if proven:
        assert all((each.date or 0) <= (proven[0].date or 0) for each in found.drop), "something proven is newer"
    else:
        assert not dropped
    again = retention([each for each in sets if each.name not in dropped], series, NOW, UTC)
    assert not again.drop, "the rules keep the same sets once the others are gone"


def test_ten_thousand_sets_take_less_than_a_second() -> None:
    sets = history(random.Random(11), 10_000)
    began = time.process_time()
    found = judged(sets, within="90d", last=7, daily=14, weekly=8, monthly=12, yearly=5)
    assert time.process_time() - began < 1
    assert len(found.drop) > 5000
