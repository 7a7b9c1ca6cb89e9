"""The jars of the tests' Neo4j servers: fetched once, and never half."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import helpers
from tests.neo4j_server.jars import Release, jars

RELEASE = Release("9.9.9", ("a:b",), range(1, 100), "none")
FETCH = "from tests.test_neo4j_jars import *; print(sorted(os.listdir(jars(RELEASE))))"

MAVEN = """\
#!{python}
import sys, time
from pathlib import Path
with open({calls!r}, "a") as calls:
    print("called", file=calls)
target = next(Path(each.partition("=")[2]) for each in sys.argv if each.startswith("-DoutputDirectory="))
target.mkdir()
(target / "one.jar").touch()
time.sleep(0.3)
if {fails}:
    sys.exit("no more")
(target / "two.jar").touch()
"""


def fake_maven(directory: Path, monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> Path:
    """A Maven that fetches two jars, or only one of them and fails. Returns the file of its calls."""
    calls, program = directory / "calls", directory / "bin" / "mvn"
    program.parent.mkdir(exist_ok=True)
    program.write_text(MAVEN.format(python=sys.executable, calls=str(calls), fails=fails))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
    return calls


def test_two_processes_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_maven(tmp_path, monkeypatch)
    both = [subprocess.Popen([sys.executable, "-c", FETCH], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["['one.jar', 'two.jar']\n"] * 2
    assert calls.read_text() == "called\n"


def test_a_broken_download_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_maven(tmp_path, monkeypatch, fails=True)
    monkeypatch.setattr(helpers, "REQUIRE_ALL", False)
    with pytest.raises(pytest.skip.Exception, match="could not fetch"):
        jars(RELEASE)
    fake_maven(tmp_path, monkeypatch)
    assert sorted(path.name for path in jars(RELEASE).iterdir()) == ["one.jar", "two.jar"]
    assert [path.name for path in (tmp_path / "cache" / "upkeeper-tests").iterdir() if path.is_dir()] == ["neo4j-9.9.9"]
