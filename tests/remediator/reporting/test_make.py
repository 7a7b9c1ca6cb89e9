"""What a report makes of what was counted and of how things stand."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.reporting import make
from remediator.reporting.report import State
from remediator.store.figures import DAY, Deeds, Outcomes
from tests.remediator.reporting.reports import NOW, full

OUTCOMES = ("effective", "nothing-to-do", "failed", "ineffective", "blocked", "planned", "")
ROWS = st.lists(
    st.builds(Outcomes, st.integers(-1, 8), st.sampled_from("abc"), st.sampled_from(OUTCOMES), st.booleans(),
              st.integers(1, 50), st.floats(0, 100)),
    max_size=40,
)  # fmt: skip
DEEDS = st.lists(st.builds(Deeds, st.integers(-1, 8), st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 2**50)))


@settings(max_examples=40)
@given(ROWS, DEEDS)
def test_no_run_is_lost_or_counted_twice(outcomes: list[Outcomes], deeds: list[Deeds]) -> None:
    done = make.tasks_done(outcomes, deeds)
    assert sum(one.runs for one in done) == sum(one.count for one in outcomes)
    for one in done:
        parts = (one.effective, one.nothing_to_do, one.ineffective, one.failed, one.planned, one.other)
        assert sum(parts) == one.runs
        assert min(parts) >= 0
    days = make.days_done(outcomes, deeds, NOW - 7 * DAY, NOW)
    assert len(days) == 7
    # The chart, the table, and what did not go well are of the same runs.
    assert sum(day.good + day.trouble + day.other for day in days) == sum(one.runs for one in done)
    assert sum(day.trouble for day in days) == sum(one.failed + one.ineffective for one in done)
    assert sum(one.failed + one.ineffective for one in done) == sum(
        one.count for one in outcomes if one.outcome in ("failed", "ineffective")
    )
    assert sum(day.freed_bytes for day in days) == sum(deed.freed_bytes for deed in deeds)


LOOKED = {"security-review": NOW - 7 * DAY}
AGAIN = {"security-review": NOW}


def seen(*names: str) -> dict[str, str]:
    return {f"security-review/{name}": f"{name} is bad" for name in names}


def test_what_differs_from_the_last_report() -> None:
    before = State("one", {"web": "web:1 (a)", "old": "old:1 (b)"}, seen("x", "y"), LOOKED)
    now = State("two", {"web": "web:2 (c)", "new": "new:1 (d)"}, seen("y", "z"), AGAIN)
    assert [one.what for one in make.changes(before, now)] == [
        "the config has changed",
        "container new is new, from new:1 (d)",
        "container old is gone",
        "container web runs another image: web:2 (c), before web:1 (a)",
        "new: z is bad",
        "gone: x is bad",
    ]
    assert make.changes(State("one", {}, seen("x"), LOOKED), State("one", {}, seen("x"), AGAIN)) == []
    assert make.changes(None, now) == []


def test_nothing_is_said_of_what_was_not_known() -> None:
    known = State("one", {"web": "web:1"}, {})
    assert make.changes(State("one", {}, {}), known) == []
    assert make.changes(known, State("", {}, {})) == []


def said(before: State, now: State) -> list[str]:
    return [one.what for one in make.changes(before, now)]


def test_of_what_nobody_looked_at_nothing_is_new_or_gone() -> None:
    found, again = State("one", {}, seen("x", "y"), LOOKED), State("one", {}, seen("x", "y"), AGAIN)
    assert said(State("one"), again) == [
        "not looked at before: security-review had not run at the last report, so what it finds (2) may be old or new"
    ]
    assert said(found, State("one")) == [
        "not looked at: security-review has no look to tell of, so whether what it finds (2) is gone is not known"
    ]
    assert said(found, found) == ["not looked at since: security-review has not looked since the last report"]
    half = State("one", {}, seen("x"), AGAIN, ["security-review"])
    assert said(found, half) == ["no longer seen, and not everything was looked at: y is bad"]


def test_each_task_that_looks_is_told_by_itself() -> None:
    """An audit that has looked says what is gone, whatever became of the review."""
    audit = {"configuration-audit/a": "a is bad"}
    before = State("one", {}, {**seen("x"), **audit}, {**LOOKED, "configuration-audit": NOW - 7 * DAY})
    now = State("one", {}, {}, {"configuration-audit": NOW})
    assert said(before, now) == [
        "gone: a is bad",
        "not looked at: security-review has no look to tell of, so whether what it finds (1) is gone is not known",
    ]


def test_reports_of_former_versions_do_not_say_who_looked() -> None:
    former = make.state_of({"state": {"config": "one", "images": {}, "findings": seen("x")}})
    assert former is not None
    assert said(former, State("one", {}, seen("z"), AGAIN)) == ["new: z is bad", "gone: x is bad"]


def test_a_flood_of_changes_is_counted() -> None:
    now = State("one", {}, seen(*map(str, range(100))), AGAIN)
    found = make.changes(State("one", {}, seen("a"), LOOKED), now)
    assert len(found) == make.MOST_CHANGES + 1
    assert found[-1].what == "61 further changes"


def test_packages_from_their_first_version_to_their_last() -> None:
    rows: list[dict[str, Any]] = [
        {"package": "zlib", "does": "upgrade", "installed": "1", "candidate": "2"},
        {"package": "curl", "does": "install", "installed": "", "candidate": "8"},
        {"package": "held", "does": "left-out", "installed": "1", "candidate": "2"},
        {"package": "zlib", "does": "upgrade", "installed": "2", "candidate": "3"},
        {"package": "old", "does": "remove", "installed": "1", "candidate": ""},
    ]
    assert [one.what for one in make.packages(rows)] == [
        "package curl 8 was installed",
        "package old 1 was removed",
        "package zlib was updated from 1 to 3",
    ]
    many = [{**rows[0], "package": f"p{number}"} for number in range(make.MOST_PACKAGES + 3)]
    assert make.packages(many)[-1].what == "3 further packages"


def test_packages_that_others_changed_are_told_apart_from_those_of_our_runs() -> None:
    def logged(name: str, does: str, installed: str, candidate: str) -> dict[str, str]:
        return {"package": name, "does": does, "installed": installed, "candidate": candidate}

    ours = [logged("ours", "upgrade", "1", "2"), logged("gone", "remove", "1", "")]
    log = [
        logged("ours:amd64", "upgrade", "1", "2"),
        logged("gone:amd64", "remove", "1", ""),
        logged("openssl:amd64", "upgrade", "1", "2"),
        logged("openssl:amd64", "upgrade", "2", "3"),
        logged("ours:amd64", "upgrade", "2", "3"),
        logged("tried:amd64", "install", "", "1"),
        logged("tried:amd64", "remove", "1", ""),
        logged("again:all", "upgrade", "1", "1"),
        logged("libc6:amd64", "install", "", "1"),
        logged("libc6:i386", "install", "", "1"),
    ]
    assert [(one.kind, one.what) for one in make.packages_of_others(log, ours)] == [
        ("package-by-others", f"not by Upkeeper: package {text}")
        for text in (
            "libc6:amd64 1 was installed", "libc6:i386 1 was installed", "openssl was updated from 1 to 3",
            "ours was updated from 2 to 3",
        )
    ]  # fmt: skip
    many = [logged(f"p{number}:all", "install", "", "1") for number in range(make.MOST_PACKAGES + 3)]
    assert make.packages_of_others(many, [])[-1].what == "not by Upkeeper: 3 further packages"
    assert make.packages_of_others([], ours) == []


def test_the_state_comes_back_from_the_document() -> None:
    report = full()
    assert make.state_of(report.document()) == report.state
    assert make.state_of({"state": 7}) is None
    assert make.state_of(None) is None


def test_what_was_foretold() -> None:
    row: dict[str, Any] = {
        "sink": "filesystem:/", "limit": 10.0, "within": "", "used_ratio": 0.5, "history_days": 30, "says": "so",
    }  # fmt: skip
    soon = {**row, "full_at": NOW, "days_earliest": 2.0, "days_latest": 4.0, "error_ratio": 0.013, "error_days": 7}
    rows = [
        soon,
        {**soon, "full_at": None, "days": 3.0},
        {**soon, "within": "/"},
        {**soon, "limit": None},
        {**soon, "days_latest": None},
        {**row, "says": "not within 112 days"},
        {**row, "history_days": None, "says": "not foretold: it has had no values for 4 days"},
    ]
    first, flat, open_, far, gone = make.fills_up(rows, NOW)
    assert (first.full_from, first.full_until) == (NOW + 2 * DAY, NOW + 4 * DAY)
    assert first.error == "off by 1.3% of its limit, 7 days ahead"
    assert (flat.full_from, flat.full_until) == (None, None)
    assert (flat.says, flat.foretold) == ("not foreseen: its growth cannot be told from none", True)
    assert (far.says, far.foretold) == ("not within 112 days", True)
    assert (gone.says, gone.foretold) == ("not foretold: it has had no values for 4 days", False)
    assert (open_.full_from, open_.full_until) == (NOW + 2 * DAY, None)


def test_backups_with_their_strongest_proof() -> None:
    proof = {"success": True, "finished_at": "2026-11-20T00:00:00Z", "detail": ""}
    later = {**proof, "finished_at": "2026-11-21T00:00:00Z"}
    failed = {**later, "success": False}
    sets: Any = {
        "items": [
            {
                "backup": "pa",
                "made_at": "2026-11-19T00:00:00Z",
                "bytes": 5,
                "proofs": {"checksums": later, "restored": proof},
            },
            {"backup": "pa", "made_at": "2026-11-22T00:00:00Z", "bytes": None, "proofs": {"drilled": failed}},
            {"backup": "bare", "made_at": None, "bytes": 1, "proofs": {}},
        ],
        "unread": [{"backup": "gone", "reason": "no such directory"}],
    }
    pa, bare, gone = make.backups_stand(sets)
    assert (pa.sets, pa.bytes, pa.proof) == (2, 5, "restored")
    assert (bare.newest_at, bare.proof) == (None, "")
    assert gone.problem == "no such directory"
