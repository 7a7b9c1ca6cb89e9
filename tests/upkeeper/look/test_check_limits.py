"""What `upkeeper check` finds in guards whose settings let nothing through."""

from pathlib import Path

import pytest

from tests.upkeeper.look.checked import found

REMEDY = "remedies:\n  - {{name: r, task: log-rotation, target: app, match: ['alertname=\"UpkeeperX\"'], {}}}\n"


@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ("budget: {bytes_per_run: 20}", "budget.bytes_per_run", "20 B is less than anything that is removed"),
        ("budget: {bytes_per_day: 50}", "budget.bytes_per_day", "50 B is less than anything that is removed"),
        (
            "budget: {bytes_per_run: 50GiB, bytes_per_day: 20GiB}",
            "budget.bytes_per_run",
            "50 GiB is never reached: `bytes_per_day:` allows 20 GiB",
        ),
        (
            "budget: {items_per_run: 500, items_per_day: 200}",
            "budget.items_per_run",
            "500 is never reached: `items_per_day:` allows 200",
        ),
        ("rate: {per_hour: 12, per_day: 4}", "rate.per_hour", "12 is never reached: `per_day:` allows 4"),
        ("rate: {per_hour: 13}", "rate.per_hour", "13 is never reached: `per_day:` allows 12"),
        ("approval: {expires: 4}", "approval.expires", "a plan is dropped after 4s, before anybody can approve it"),
    ],
)
def test_what_lets_nothing_through_is_told_where_it_is_said(
    tmp_path: Path, settings: str, key: str, message: str
) -> None:
    [problem] = found(tmp_path, REMEDY.format(settings))
    assert (problem.line, problem.key) == (2, f"remedies[0].{key}")
    assert problem.message.startswith(message)
    [of_all] = found(tmp_path, f"guards: {{{settings}}}\n")
    assert (of_all.line, of_all.key) == (1, f"guards.{key}")


def test_what_a_remedy_says_is_judged_with_what_all_say(tmp_path: Path) -> None:
    general = "guards: {budget: {bytes_per_day: 1GiB}}\n"
    [problem] = found(tmp_path, general + REMEDY.format("budget: {bytes_per_run: 2GiB}"))
    assert (problem.line, problem.key) == (3, "remedies[0].budget.bytes_per_run")


@pytest.mark.parametrize(
    "settings",
    [
        "budget: {bytes_per_run: 20GiB, items_per_run: 500, bytes_per_day: 50GiB, items_per_day: 2000}",
        "budget: {bytes_per_run: 1KiB, bytes_per_day: 1KiB}",
        "rate: {per_hour: 12}",
        "rate: {per_day: 4}",  # fewer than in an hour without it: an hour is then as a day
        "approval: {expires: 1m}",
    ],
)
def test_limits_that_let_something_through(tmp_path: Path, settings: str) -> None:
    assert found(tmp_path, REMEDY.format(settings)) == []


@pytest.mark.parametrize(("policy", "told"), [("once", True), ("all", True), ("skip", False)])
def test_a_job_that_never_makes_up_for_anything(tmp_path: Path, policy: str, told: bool) -> None:
    job = "{{name: a, at: '0 2 * * *', task: log-rotation, target: app, catch_up: {}, catch_up_within: {}}}"
    problems = found(tmp_path, f"schedule: {{jobs: [{job.format(policy, 2)}]}}\n")
    assert [problem.key for problem in problems] == ["schedule.jobs[0].catch_up_within"] * told
    assert found(tmp_path, f"schedule: {{jobs: [{job.format(policy, '1m')}]}}\n") == []
