"""A new image examined. cosign and trivy are stand-ins, which cannot be had here with their data: they write down how
they were called and answer in the shape of the real ones.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from remediator.config.images import Images
from remediator.model.task import TaskError
from remediator.tasks.image_update.examine import examination, examine
from remediator.tasks.image_update.references import Reference, parse

NEW = "ghcr.io/me/app@sha256:" + "1" * 64
RUNNING = "sha256:" + "2" * 64
KEY = {"images": ["ghcr.io/me/*"], "verifier": "/etc/cosign.pub"}


def image() -> Reference:
    found = parse(NEW)
    assert found is not None
    return found


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    head = f"import json, os, sys, time\nopen({str(directory / 'calls')!r}, 'a').write(json.dumps(sys.argv) + '\\n')"
    path.write_text(f"#!{sys.executable}\n{head}\n{script}\n")
    path.chmod(0o755)


def calls(directory: Path) -> list[list[str]]:
    return [json.loads(line)[1:] for line in (directory / "calls").read_text().splitlines()]


def report(*severities: str) -> Mapping[str, Any]:
    found = [
        {"VulnerabilityID": f"CVE-{number}", "PkgName": "openssl", "Severity": each.upper()}
        for number, each in enumerate(severities)
    ]
    return {"SchemaVersion": 2, "Results": [{"Vulnerabilities": found}]}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def settings(**given: Any) -> Images:
    return Images.model_validate(given)


def test_with_nothing_installed_nothing_is_asked(path: Path) -> None:
    asked, hold = examination(settings(), image())
    assert (asked.rule, hold) == ("", "")


def test_one_that_must_be_signed_is_not_taken_without_cosign(path: Path) -> None:
    _, hold = examination(settings(signatures=[KEY]), image())
    assert "cosign is not on PATH" in hold
    other = parse("docker.io/library/app:1")
    assert other is not None
    assert examination(settings(signatures=[KEY]), other)[1] == ""


@pytest.mark.parametrize(
    ("entry", "options"),
    [
        (KEY, ["--key", "/etc/cosign.pub"]),
        (
            {"images": ["ghcr.io/me/app"], "identity": "me@example.org", "issuer": "https://accounts.example.org"},
            ["--certificate-identity", "me@example.org", "--certificate-oidc-issuer", "https://accounts.example.org"],
        ),
    ],
)
async def test_its_signature(path: Path, entry: Mapping[str, Any], options: list[str]) -> None:
    program(path, "cosign", "sys.exit(0)")
    asked, hold = examination(settings(signatures=[entry]), image())
    assert not hold
    assert "cosign verified its signature" in await examine(asked, NEW, RUNNING, 60.0, "unix:///x")
    assert calls(path) == [["verify", *options, NEW]]
    program(path, "cosign", "sys.exit('Error: no matching signatures')")
    with pytest.raises(TaskError, match=r"does not count: cosign says of .*no matching signatures"):
        await examine(asked, NEW, RUNNING, 60.0, "unix:///x")


async def test_only_what_is_worse_than_what_runs_is_refused(path: Path) -> None:
    answers = {NEW: report("critical", "high", "critical"), RUNNING: report("critical")}
    program(path, "trivy", f"print(json.dumps(json.loads({json.dumps(json.dumps(answers))})[sys.argv[-1]]))")
    asked, _ = examination(settings(), image())
    with pytest.raises(TaskError, match=r"1 critical vulnerability in it .*: CVE-2 in openssl"):
        await examine(asked, NEW, RUNNING, 60.0, "unix:///x")
    answers[RUNNING] = report("critical", "low", "critical")
    program(path, "trivy", f"print(json.dumps(json.loads({json.dumps(json.dumps(answers))})[sys.argv[-1]]))")
    shown = await examine(asked, NEW, RUNNING, 60.0, "unix:///x")
    assert shown.startswith("trivy: 2 critical, 1 high known vulnerabilities")
    answers[NEW] = report()
    program(path, "trivy", f"print(json.dumps(json.loads({json.dumps(json.dumps(answers))})[sys.argv[-1]]))")
    assert await examine(asked, NEW, RUNNING, 60.0, "unix:///x") == "trivy: no known vulnerability"
    assert calls(path)[-1][-1] == NEW, "what runs is scanned only where the new one is bad"
    assert examination(settings(scan=False), image())[0].rule == ""


@pytest.mark.parametrize(
    ("script", "said"),
    [("time.sleep(600)", "did not end within 1s"), ("sys.exit('no database')", "no database"), ("print('x')", "scan")],
)
async def test_a_scanner_that_cannot_tell_lets_nothing_through(path: Path, script: str, said: str) -> None:
    program(path, "trivy", script)
    asked, _ = examination(settings(), image())
    seconds = 1.0 if "sleep" in script else 60.0
    with pytest.raises(TaskError, match=said):
        await examine(asked, NEW, RUNNING, seconds, "unix:///x")


def test_what_passed_another_rule_has_not_passed_this_one(path: Path) -> None:
    program(path, "cosign", "")
    first = examination(settings(signatures=[KEY]), image())[0]
    assert first.rule
    assert first.rule == examination(settings(signatures=[KEY]), image())[0].rule
    assert first.rule != examination(settings(signatures=[{**KEY, "verifier": "/etc/other.pub"}]), image())[0].rule
