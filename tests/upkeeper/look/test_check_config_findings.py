"""What `upkeeper check` finds in a valid config that cannot work as it is meant."""

from pathlib import Path

import pytest

from tests.upkeeper.look.checked import found
from upkeeper.look.check_config import check


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
    assert problem.message == "is redundant: 'r1' above it does the same for every alert that this one matches"


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
    ("settings", "line"),
    [("interval: 1m\n    deadline: 61s", 4), ("deadline: 16s", 3), ("interval: 9s", 2)],
)
def test_a_collector_that_may_take_longer_than_its_interval(tmp_path: Path, settings: str, line: int) -> None:
    [problem] = found(tmp_path, f"collectors:\n  docker:\n    {settings}\n")
    assert (problem.line, problem.key) == (line, "collectors.docker.deadline")
    assert "is longer than the interval" in problem.message


def test_a_collector_that_may_take_just_its_interval(tmp_path: Path) -> None:
    assert found(tmp_path, "collectors: {docker: {interval: 10s, deadline: 10s}}") == []


def test_a_log_that_takes_its_directory_over_the_limit_before_it_is_rotated(tmp_path: Path) -> None:
    logs = f"logs:\n  - name: app\n    path: {tmp_path}\n    max_bytes: "
    [problem] = found(tmp_path, logs + "1MiB\n")
    assert (problem.line, problem.key, problem.severity) == (4, "logs[0].max_bytes", "warning")
    assert problem.message.startswith("one log of 10 MiB (`rotation.max_file_bytes`)")
    assert found(tmp_path, logs + "1MiB\n    rotation: {max_file_bytes: 1MiB}\n") == []
    assert found(tmp_path, logs + "20MiB\n") == []


async def test_encryption_without_program_or_recipients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "sets").mkdir()
    text = f"""backups:
  - name: pa
    path: {tmp_path}/sets
    pattern: b-*
    make:
      files: [/etc/hosts]
      encrypt:
        age_recipients_file: {tmp_path}/none
"""
    (tmp_path / "upkeeper.yml").write_text(text)
    tool, file = [each for each in await check(tmp_path / "upkeeper.yml", {}, tmp_path) if "encrypt" in str(each.key)]
    assert (tool.line, tool.key) == (7, "backups[0].make.encrypt")
    assert tool.message == "age is not installed here, which encrypts sets; install the package age"
    assert (file.line, file.key) == (8, "backups[0].make.encrypt.age_recipients_file")
    assert "cannot be read here" in file.message
