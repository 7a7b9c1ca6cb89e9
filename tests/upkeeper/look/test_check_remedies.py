"""What `upkeeper check` finds in remedies: whose alerts they take, what they add, and the targets of their maps."""

from pathlib import Path

import pytest

from exporter.configfile.file import load
from remediator.config.config import Config
from tests.upkeeper.look.checked import FACTS, found
from upkeeper.look.check_config import findings


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


ANY_HOST = "also matches alerts of other hosts, and would then act on this one"


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


def test_a_map_of_targets_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text("""remedies:
  - name: disks
    match: ['alertname="X"']
    task: log-rotation
    target_label: device
    targets:
      /z.*: z
      /a.*: a
      /m.*: z
      8080: port
""")
    [remedy] = load(file, Config).value.remedies or ()
    assert list((remedy.targets or {}).items()) == [("/z.*", "z"), ("/a.*", "a"), ("/m.*", "z"), ("8080", "port")]


@pytest.mark.parametrize(
    ("name", "settle", "warned"),
    [
        ('="UpkeeperMemoryShort"', "", True),
        ('="UpkeeperMemoryShort"', ", settle: 5m", True),
        ('="UpkeeperMemoryShort"', ", settle: 6m", False),
        ('=~"UpkeeperServiceDown|UpkeeperMemoryShort"', "", True),
        ('!="UpkeeperMemoryShort"', ", settle: 1m", False),
        ('="UpkeeperServiceDown"', "", False),
    ],
)
def test_an_alert_that_is_kept_firing_longer_than_the_remedy_waits_for_its_end(
    tmp_path: Path, name: str, settle: str, warned: bool
) -> None:
    match = f"""match: ['alertname{name}', 'instance="myhost:10746"']"""
    problems = found(tmp_path, f"remedies:\n  - {{name: r, task: log-rotation, target: app, {match}{settle}}}\n")
    assert [(each.line, each.key) for each in problems] == [(2, "remedies[0].match")] * warned
    for problem in problems:
        assert problem.message.startswith("UpkeeperMemoryShort ends 5m after what it tells is over, and settle: is ")
        assert problem.hint == "give it time for that, as in settle: 6m"
