"""What `upkeeper check` finds beyond the schema: tasks, targets, directories, files with secrets."""

import os
from pathlib import Path

import pytest

from exporter.configfile.file import load
from exporter.configfile.problem import Problem
from remediator.config.config import Config
from upkeeper.look.check_config import MachineFacts, check, directory_problem, file_problem, findings

TARGETS = {"log-rotation": ["app", "web"], "docker-cleanup": ["docker"], "service-restart": ["n8n"]}
REMEDIES = """\
remedies:
  - name: good
    match: ['instance="me"', 'a="good"']
    task: log-rotation
    target: app
  - name: by-label
    match: ['instance="me"', 'a="by-label"']
    task: service-restart
    target_label: container
  - name: other
    match: ['instance="me"', 'a="other"']
    task: {task}
    target: {target}
"""


def found(tmp_path: Path, text: str, facts: MachineFacts) -> list[Problem]:
    file = tmp_path / "upkeeper.yml"
    file.write_text(text)
    return findings(load(file, Config), facts)


@pytest.mark.parametrize(
    ("task", "target", "line", "message"),
    [
        ("log-rotatoin", "app", 12, "there is no task 'log-rotatoin' (did you mean log-rotation?)"),
        (
            "espresso",
            "cup",
            12,
            "there is no task 'espresso' (there are: docker-cleanup, log-rotation, service-restart)",
        ),
        ("log-rotation", "ap", 13, "log-rotation has no target 'ap' (did you mean app?)"),
        ("docker-cleanup", "everything", 13, "docker-cleanup has no target 'everything' (there are: docker)"),
    ],
)
def test_a_remedy_needs_a_task_and_a_target_that_exist(
    tmp_path: Path, task: str, target: str, line: int, message: str
) -> None:
    [problem] = found(tmp_path, REMEDIES.format(task=task, target=target), MachineFacts(TARGETS))
    assert (problem.severity, problem.line) == ("error", line)
    assert str(problem).endswith(message)


def test_a_container_that_is_not_there_now_may_come_later(tmp_path: Path) -> None:
    text = REMEDIES.format(task="service-restart", target="n8m")
    [problem] = found(tmp_path, text, MachineFacts(TARGETS, found_later={"service-restart"}))
    assert problem.severity == "warning"
    assert str(problem).endswith("service-restart has no target 'n8m' at present (did you mean n8n?)")


def test_what_is_wrong_on_this_machine_is_a_warning_where_it_is_named(tmp_path: Path) -> None:
    text = """\
logs:
  - {name: app, path: /var/log/app, max_bytes: 1GB}
  - {name: web, path: /var/log/web, max_bytes: 1GB}
notify:
  email:
    to: you@example.org
    from: upkeeper@example.org
    smarthost: smtp.example.org:25
    username: upkeeper
    password_file: /etc/upkeeper/password
  slack:
    webhook_url_file: /etc/upkeeper/slack
    channel: "#alerts"
"""
    facts = MachineFacts(
        TARGETS,
        directories={"/var/log/web": "is not a directory"},
        files={"/etc/upkeeper/password": "is empty", "/etc/upkeeper/slack": "may be read by everybody"},
    )
    problems = found(tmp_path, text, facts)
    assert [problem.severity for problem in problems] == ["warning"] * 3
    assert [(problem.line, problem.key, problem.message) for problem in problems] == [
        (3, "logs[1].path", "'/var/log/web' is not a directory"),
        (10, "notify.email.password_file", "'/etc/upkeeper/password' is empty"),
        (12, "notify.slack.webhook_url_file", "'/etc/upkeeper/slack' may be read by everybody"),
    ]


def test_log_directories(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert directory_problem(tmp_path) == ""
    assert directory_problem(file) == "is not a directory"
    assert directory_problem(tmp_path / "none") == "cannot be accessed here: No such file or directory"
    assert directory_problem(file / "below") == "cannot be accessed here: Not a directory"


@pytest.mark.parametrize(("mode", "fine"), [(0o600, True), (0o640, True), (0o644, False), (0o604, False)])
def test_a_secret_that_everybody_may_read(tmp_path: Path, mode: int, fine: bool) -> None:
    file = tmp_path / "secret"
    file.write_text("x\n")
    file.chmod(mode)
    problem = file_problem(file, secret=True)
    assert problem == "" if fine else f"(mode {mode:04o}); chmod 600" in problem


def test_a_secret_that_is_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text(" \n")
    empty.chmod(0o600)
    assert file_problem(empty, secret=True) == "is empty"
    assert file_problem(empty, secret=False) == "is empty"
    assert file_problem(tmp_path / "none", secret=True) == "cannot be read here: No such file or directory"
    assert file_problem(tmp_path, secret=True) == "cannot be read here: Is a directory"


async def test_the_whole_check_looks_at_the_tasks_and_at_this_machine(tmp_path: Path) -> None:
    here = tmp_path / "logs"
    here.mkdir()
    file = tmp_path / "upkeeper.yml"
    file.write_text(f"""\
docker: {{host: "unix://{tmp_path}/no-engine.sock"}}
logs:
  - {{name: here, path: {here}, max_bytes: 1GB}}
  - {{name: gone, path: {tmp_path}/gone, max_bytes: 1GB}}
services:
  - {{name: n8n, container: n8n, probes: [{{url: "http://127.0.0.1/"}}]}}
remedies:
  - {{name: a, match: ['instance="a"'], task: log-rotation, target: gone}}
  - {{name: b, match: ['instance="b"'], task: log-rotation, target: nowhere}}
  - {{name: c, match: ['instance="c"'], task: service-restart, target: n8n}}
  - {{name: d, match: ['instance="d"'], task: service-restart, target: labelled-perhaps}}
  - {{name: e, match: ['instance="e"'], task: health-check, target: all}}
""")
    problems = await check(file)
    assert [(problem.severity, problem.line) for problem in problems] == [("warning", 4), ("error", 9), ("warning", 11)]


async def test_each_directory_that_is_measured_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    file = tmp_path / "upkeeper.yml"
    file.write_text(
        "backups:\n"
        f"  - {{name: here, path: {tmp_path}/backups, pattern: 'b-*'}}\n"
        f"  - {{name: gone, path: {tmp_path}/gone, pattern: 'b-*'}}\n"
        f"neo4j: [{{name: graph, uri: 'bolt://127.0.0.1', data_directory: {tmp_path}/data}}]\n"
    )
    problems = await check(file)
    assert [(problem.key, problem.severity) for problem in problems] == [
        ("backups[1].path", "warning"),
        ("neo4j[0].data_directory", "warning"),
    ]
    assert all("No such file or directory" in problem.message for problem in problems)


async def test_the_check_of_a_file_that_is_wrong_by_itself_stops_there(tmp_path: Path) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text("logz: []\ndocker: 5\n")
    assert [problem.line for problem in await check(file)] == [1, 2]


async def test_no_file_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    assert await check(None, os.environ) == []


async def test_a_task_that_there_is_not_is_told_beside_other_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(
        "remedies:\n"
        "  - {name: a, match: ['alertname=\"X\"'], task: log-rotatoin, target: app, autonomy: atuo}\n"
        "  - nothing\n"
        "  - {name: b, match: ['alertname=\"Y\"'], task: 7, target: app}\n"
        "schedule: {jobs: [{name: n, at: 0 2 * *, task: dialy}]}\n"
    )

    problems = await check(file, {}, tmp_path)

    assert [(one.line, one.key) for one in problems] == [
        (2, "remedies[0].task"),
        (2, "remedies[0].autonomy"),
        (3, "remedies[1]"),
        (4, "remedies[2].task"),
        (5, "schedule.jobs[0].at"),
        (5, "schedule.jobs[0].task"),
    ]
    assert [one.hint for one in problems if one.message.startswith("there is no task")] == [
        "did you mean log-rotation?",
        "did you mean daily?",
    ]


@pytest.mark.parametrize("text", ["remedies: 5\nnotfy: {}\n", "schedule: []\nremedies: {a: 1}\n", "a: [\n", "- 1\n"])
async def test_whatever_else_stands_where_tasks_would_be_is_no_matter(tmp_path: Path, text: str) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(text)

    assert not [one for one in await check(file, {}, tmp_path) if "there is no task" in one.message]
