"""The PA stack as it should be has no finding; with every mistake in it, it has exactly those."""

import re
import subprocess
from dataclasses import astuple
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.collectors.findings import FindingsCollector
from exporter.exposition import Format, join, render
from exporter.findings.audit import Audit
from exporter.inventory.audit import Configuration, FindingsSettings
from tests.exporter.findings.inputs import PROJECTS, SECRET, audit, copy, lines
from tests.helpers import require_program

MARK = re.compile(r"#! (.+)$")


def marked(directory: Path) -> list[str]:
    """What the files of a project say must be found in them."""
    return sorted(
        f"{path.name}:{number} {each}"
        for path in directory.iterdir()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := MARK.search(line)) and not line.startswith("#")
        for each in match[1].split()
    )


@pytest.fixture
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which Docker Compose is not installed."""
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.usefixtures("no_compose")
async def test_the_clean_one_has_no_finding(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    report = await audit(compose_files=[str(path / "compose.yaml")], files=[str(path / "*.yaml")])
    assert lines(report) == []
    assert report.problems == []
    assert {result.check for result in report.results} == {
        "placeholders", "file-modes", "env-files", "compose-valid", "unset-variables", "plain-secrets",
        "published-ports",
        "privileges", "images", "limits", "health-checks", "restart-policies", "log-limits", "volumes",
    }  # fmt: skip
    assert all(result.count("critical") == 0 for result in report.results)


@pytest.mark.usefixtures("no_compose")
async def test_the_one_with_mistakes_has_exactly_those(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    report = await audit(compose_files=[str(path / "compose.yaml")])
    wanted = marked(path)
    assert lines(report) == wanted
    assert len(wanted) >= 39
    assert report.problems == []


@pytest.mark.usefixtures("no_compose")
async def test_loose_modes_are_found(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    (path / ".env").chmod(0o644)
    (path / "webui.env").chmod(0o640)
    (path / "letta-password").chmod(0o604)
    (path / "compose.yaml").chmod(0o666)
    script, key = path / "backup.sh", path / "server.key"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o757)
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    key.chmod(0o644)
    report = await audit(compose_files=[str(path / "compose.yaml")], files=[str(path / "*.sh"), str(path / "*.key")])
    assert lines(report) == [
        ".env file-modes/warning",
        "backup.sh file-modes/critical",
        "compose.yaml file-modes/critical",
        "letta-password file-modes/warning",
        "server.key file-modes/critical",
        "webui.env file-modes/info",
    ]


async def test_no_secret_is_in_findings_metrics_or_log(tmp_path: Path) -> None:
    paths = [copy(name, tmp_path) for name in ("clean", "mistakes")]
    settings = Configuration(compose_files=[str(path / "compose.yaml") for path in paths])
    collector = FindingsCollector(Audit(settings), FindingsSettings())
    with capture_logs() as log:
        body = join([render(await collector.collect())], Format.TEXT).decode()
    report = await Audit(settings).run(60)
    assert len(report.findings) >= 39
    assert sum(line["event"] == "configuration finding" for line in log) > 20
    said = "\n".join([body, str(log), repr(report), *(str(astuple(one)) for one in report.findings)])
    assert SECRET not in said
    assert "CHANGE_ME_jwt" not in said


@pytest.mark.servers
@pytest.mark.parametrize(("name", "refused"), [("clean", False), ("mistakes", True)])
async def test_the_real_compose_thinks_the_same(name: str, refused: bool, tmp_path: Path) -> None:
    program = require_program("docker-compose", "docker-compose")
    path = copy(name, tmp_path)
    done = subprocess.run(
        [program, "-f", path / "compose.yaml", "config", "-q"], cwd=path, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == refused, done.stderr
    report = await audit(compose_files=[str(path / "compose.yaml")])
    result = next(result for result in report.results if result.check == "compose-config")
    assert result.success
    assert [finding.severity for finding in result.findings] == ["critical"] * refused


@pytest.mark.servers
def test_the_real_compose_would_tell_the_password(tmp_path: Path) -> None:
    """Which is why its output is thrown away."""
    program = require_program("docker-compose", "docker-compose")
    done = subprocess.run(
        [program, "-f", PROJECTS / "mistakes" / "compose.yaml", "config", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert SECRET in done.stderr
