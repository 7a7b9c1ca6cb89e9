"""What `upkeeper check` finds in a schedule: what cannot run, blocks itself or is there twice; and what runs next."""

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.configfile.file import load
from remediator.config.config import Config
from remediator.model.task import Parameters
from tests.upkeeper.look.checked import FACTS, found
from upkeeper.look.check_config import coming, findings
from upkeeper.look.check_schedule import shortest_interval


def schedule(*jobs: str) -> str:
    return "schedule:\n  jobs:\n" + "".join(f"    - {{name: j{number}, {job}}}\n" for number, job in enumerate(jobs))


def test_jobs_that_are_well(tmp_path: Path) -> None:
    text = schedule('at: "0 2 * * *", task: log-rotation', 'at: "0 3 * * *", task: docker-cleanup, jitter: 10m')
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ('at: "0 2 * * *", jitter: 1d', "the jitter of 1d is as long as the time between two runs, 1d"),
        ('at: "*/5 * * * *"', "a run that did something is followed by a cooldown of 15m, longer than the time between "
                              "two runs, 5m: it blocks the next"),
        ('at: "0 2 * * *", jitter: 2h', "it counts as overdue after 1h, and may begin later than that"),
    ],
)  # fmt: skip
def test_what_is_likely_a_mistake_is_a_warning(tmp_path: Path, job: str, message: str) -> None:
    assert message in [problem.message for problem in found(tmp_path, schedule(f"{job}, task: log-rotation"))]


def test_a_job_that_another_one_makes_needless(tmp_path: Path) -> None:
    text = schedule('at: "0 0 * * *", task: log-rotation', 'at: "@daily", task: log-rotation')
    assert [problem.message for problem in found(tmp_path, text)] == [
        "is redundant: 'j0' does the same at the same times"
    ]


@pytest.mark.parametrize(
    ("job", "key", "text"),
    [
        ("task: log-rotatoin", "task", "there is no task 'log-rotatoin' (did you mean log-rotation?)"),
        ("task: log-rotation, target: wep", "target", "log-rotation has no target 'wep' (did you mean web?)"),
    ],
)
def test_what_cannot_run_is_an_error(tmp_path: Path, job: str, key: str, text: str) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(schedule(f'at: "@daily", {job}'))
    (problem,) = findings(load(file, Config), FACTS)
    assert (problem.severity, problem.key, problem.line) == ("error", f"schedule.jobs[0].{key}", 3)
    assert f"{problem.message} ({problem.hint})" == text


class Takes(Parameters):
    """What a task may take."""

    deep: bool = False
    keep: int = 3


@pytest.mark.parametrize(
    ("params", "key", "message", "hint"),
    [
        ("{kepe: 4}", "params.kepe", "log-rotation has no parameter kepe", "did you mean keep?"),
        ("{x: 4}", "params.x", "log-rotation has no parameter x", "its parameters: deep, keep"),
        ("{keep: many}", "params.keep", "parameter keep of log-rotation: Input should be a valid integer, unable to "
                                        "parse string as an integer", ""),
    ],
)  # fmt: skip
def test_parameters_that_the_task_does_not_take(tmp_path: Path, params: str, key: str, message: str, hint: str) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(schedule(f'at: "@daily", task: log-rotation, params: {params}'))
    facts = replace(FACTS, parameters={"log-rotation": Takes})
    (problem,) = findings(load(file, Config), facts)
    assert (problem.severity, problem.key, problem.line) == ("error", f"schedule.jobs[0].{key}", 3)
    assert (problem.message, problem.hint) == (message, hint)


def test_parameters_that_it_takes(tmp_path: Path) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(schedule('at: "@daily", task: log-rotation, params: {deep: true, keep: "4"}'))
    assert findings(load(file, Config), replace(FACTS, parameters={"log-rotation": Takes})) == []


@pytest.mark.parametrize(
    ("at", "seconds"), [("* * * * *", 60), ("0 2 * * *", 86400), ("0,10 2 * * *", 600), ("0 0 1 1 *", 365 * 86400)]
)
def test_the_shortest_time_between_two_runs(at: str, seconds: float) -> None:
    assert shortest_interval(at) == seconds


def test_what_runs_next_the_soonest_first(tmp_path: Path) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(
        "schedule: {timezone: UTC, jobs: [{name: b, at: '0 3 * * *', task: x}, {name: a, at: '0 2 * * *', task: x}]}"
    )
    assert coming(file, 1_800_000_000.0) == [("a", "2027-01-16T02:00:00Z"), ("b", "2027-01-16T03:00:00Z")]
