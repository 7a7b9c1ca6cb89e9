"""What `upkeeper check` finds in a valid config that cannot work as it is meant."""

from pathlib import Path

import pytest

from exporter.configuration.file import load
from exporter.configuration.problem import Problem
from remediator.config import Config
from remediator.configcheck import Facts, findings

FACTS = Facts({"log-rotation": ["app", "web"], "docker-cleanup": ["docker"]})


def found(tmp_path: Path, text: str) -> list[Problem]:
    file = tmp_path / "upkeeper.yml"
    file.write_text(text)
    problems = findings(load(file, Config), FACTS)
    assert {problem.severity for problem in problems} <= {"warning"}
    return problems


def remedies(*matches: str) -> str:
    """Remedies for these matchers, of alerts of this host."""
    return "remedies:\n" + "".join(
        f"  - {{name: r{index}, task: log-rotation, target: app, match: {match}}}\n".replace("['", "['instance=me', '")
        for index, match in enumerate(matches)
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("""['a="b"']""", """['a="b"']"""),
        ("""['a="b"']""", """['{ a = b }']"""),
        ("""['a="b"', 'c=~"d|e"']""", """['{c=~"d|e", a="b"}']"""),
        ("""['a="b"']""", """['a="b"', 'c="d"']"""),
    ],
)
def test_a_remedy_that_an_earlier_one_keeps_every_alert_from(tmp_path: Path, first: str, second: str) -> None:
    [problem] = found(tmp_path, remedies("""['z="z"']""", first, second))
    assert (problem.line, problem.key) == (4, "remedies[2].match")
    assert problem.message == "adds nothing: 'r1' above it does the same about every alert that this one matches"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("""['a="b"', 'c="d"']""", """['a="b"']"""),
        ("""['a="b"']""", """['a="c"']"""),
        ("""['a="b"']""", """['a=~"b"']"""),
        ("""['a="b"']""", """['a!="b"']"""),
    ],
)
def test_remedies_that_each_have_alerts_of_their_own(tmp_path: Path, first: str, second: str) -> None:
    assert found(tmp_path, remedies(first, second)) == []


@pytest.mark.parametrize(
    "other",
    ["task: log-rotation, target: web", "task: docker-cleanup, target: docker", "task: log-rotation, target_label: a"],
)
def test_remedies_that_each_do_something_else_about_the_same_alert(tmp_path: Path, other: str) -> None:
    match = """match: ['alertname="UpkeeperFilesystemFull"']"""
    text = (
        f"remedies:\n  - {{name: r0, task: log-rotation, target: app, {match}}}\n  - {{name: r1, {other}, {match}}}\n"
    )
    assert found(tmp_path, text) == []


ANY_HOST = "matches the alerts of other hosts too, and would then work on this one"


@pytest.mark.parametrize(
    "match",
    [
        """'alertname="NodeFilesystemAlmostOutOfSpace"'""",
        """'alertname="NodeFilesystemAlmostOutOfSpace"', 'mountpoint=~"/var(/.*)?"'""",
        """'severity="critical"'""",
        """'alertname!="UpkeeperServiceDown"'""",
        """'alertname=~"Upkeeper.*|Node.*"'""",
        """'alertname=~"(Upkeeper.+)?"'""",
        *(
            f"""'alertname="Node"', '{matcher}'"""
            for matcher in [
                'instance=~".+"',
                'instance=~".*:9100"',
                'instance=~".+:(9182|9100)"',
                'instance!=""',
                'instance!="other:9100"',
                'instance!~"other.*"',
                'host=~"[a-z0-9.-]+"',
                'cluster="home"',
                'container="n8n"',
            ]
        ),
    ],
)
def test_a_remedy_that_takes_the_alerts_of_any_host(tmp_path: Path, match: str) -> None:
    [problem] = found(tmp_path, f"remedies:\n  - {{name: r, task: log-rotation, target: app, match: [{match}]}}\n")
    assert (problem.line, problem.key, problem.message) == (2, "remedies[0].match", ANY_HOST)


@pytest.mark.parametrize(
    "match",
    [
        """'alertname="UpkeeperLogDirectoryOverLimit"'""",
        """'alertname=~"Upkeeper.+"'""",
        """'alertname=~"UpkeeperServiceDown|UpkeeperContainerUnhealthy"'""",
        """'alertname=~"(UpkeeperServiceDown|UpkeeperFilesystem(Full|Filling))"'""",
        *(
            f"""'alertname="Node"', '{matcher}'"""
            for matcher in [
                'instance="localhost:9100"',
                'instance=~"myhost(:.*)?"',
                'instance=~"10[.]0[.]0[.]5:.+"',
                'host="myhost"',
                'nodename=~"(a|b)"',
                'instance=""',
            ]
        ),
    ],
)
def test_a_remedy_that_takes_the_alerts_of_this_host(tmp_path: Path, match: str) -> None:
    assert found(tmp_path, f"remedies:\n  - {{name: r, task: log-rotation, target: app, match: [{match}]}}\n") == []


@pytest.mark.parametrize(
    ("label", "pattern", "warned"),
    [
        ("instance", "myhost:9100", False),
        ("instance", "myhost:.*", False),
        ("instance", ".*:9100", True),
        ("mountpoint", "/var", True),
    ],
)
def test_a_map_of_hosts_names_them(tmp_path: Path, label: str, pattern: str, warned: bool) -> None:
    text = f"""remedies:
  - name: r
    task: log-rotation
    match: ['alertname="Node"']
    target_label: {label}
    targets: {{"{pattern}": app}}
"""
    assert [problem.message for problem in found(tmp_path, text)] == [ANY_HOST] * warned


def test_each_target_of_a_map_must_exist(tmp_path: Path) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text("""remedies:
  - name: r
    task: log-rotation
    match: ['alertname="UpkeeperFilesystemFull"']
    target_label: mountpoint
    targets:
      /var: app
      /srv(/.*)?: ap
""")
    [problem] = findings(load(file, Config), FACTS)
    assert (problem.severity, problem.line) == ("error", 8)
    assert problem.message == "log-rotation has no target 'ap'"


@pytest.mark.parametrize(
    ("settings", "line"),
    [("interval: 1m\n    deadline: 61s", 4), ("deadline: 16s", 3), ("interval: 9s", 2)],
)
def test_a_collector_that_may_take_longer_than_its_interval(tmp_path: Path, settings: str, line: int) -> None:
    [problem] = found(tmp_path, f"collectors:\n  docker:\n    {settings}\n")
    assert (problem.line, problem.key) == (line, "collectors.docker.deadline")
    assert "is longer than the interval" in problem.message


def test_a_collector_that_may_take_just_its_interval(tmp_path: Path) -> None:
    assert found(tmp_path, "collectors: {docker: {interval: 10s, deadline: 10s}}") == []
