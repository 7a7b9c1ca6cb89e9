"""What people read of each alert that ships, firing and resolved: amtool, which is Alertmanager's own code, renders our
templates with what Prometheus made of the rule's annotations in its promtool case.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import require_program
from upkeeper.share import share_path
from upkeeper.up.messages import Local, local_template

pytestmark = pytest.mark.servers

STATES = {
    "UpkeeperAuditBroken", "UpkeeperBackupOverdue", "UpkeeperBackupRetentionRefused", "UpkeeperBackupVerifyFailed",
    "UpkeeperConfigReloadFailed", "UpkeeperPostgresDown", "UpkeeperPostgresSlotLost", "UpkeeperRemedyBreakerOpen",
    "UpkeeperRolloutStopped", "UpkeeperWatchdogLost", "UpkeeperWebConfigReloadFailed",
}  # fmt: skip
"""Of what is, or is not, and has no number: in some of their cases, or all."""
FIRST = re.compile(r"^(?:\*?(?:CRITICAL|WARNING|INFO|RESOLVED)\*?): ", re.MULTILINE)
BROKEN = re.compile(r"\{\{|\}\}|<no value>|%!|NaN|[+-]Inf|<nil>|0001-01-01|1\.\d+e\+|@@")


def shipped() -> Mapping[str, Mapping[str, Any]]:
    """The alerts of the rules that people are told of."""
    found = {}
    for path in (Path(share_path()) / "prometheus" / "rules").glob("*.yml"):
        for group in yaml.load(path.read_bytes(), yaml.CSafeLoader)["groups"]:
            found |= {rule["alert"]: rule for rule in group["rules"] if rule.get("alert", "Watchdog") != "Watchdog"}
    return found


def as_fired() -> Mapping[str, list[Mapping[str, Any]]]:
    """What promtool's cases want of each alert, which is what Prometheus makes of its rule."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for path in (Path(__file__).parents[2] / "prometheus" / "tests").glob("*.yml"):
        for test in yaml.load(path.read_bytes(), yaml.CSafeLoader)["tests"]:
            for case in test.get("alert_rule_test", ()):
                found.setdefault(case["alertname"], []).extend(case["exp_alerts"] or ())
    return found


def fired() -> list[dict[str, Any]]:
    """Every alert in each of its cases, with its labels and what its annotations became."""
    known = as_fired()
    return [
        {"labels": {"alertname": alert, **case["exp_labels"]}, "annotations": case["exp_annotations"]}
        for alert in sorted(shipped())
        for case in known[alert]
    ]


class Rendering:
    """The templates, with those that only `upkeeper up` writes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for path in (Path(share_path()) / "alertmanager" / "templates").glob("*.tmpl"):
            (directory / path.name).write_bytes(path.read_bytes())
        (directory / "local.tmpl").write_bytes(local_template(Local("pa-host"), None))

    def of(self, template: str, alerts: list[dict[str, Any]], status: str, kind: str = "text") -> list[str]:
        """What a template says of each alert."""
        ends = "2026-03-01T12:45:30Z" if status == "resolved" else "0001-01-01T00:00:00Z"
        when = {"status": status, "startsAt": "2026-03-01T12:30:00Z", "endsAt": ends, "fingerprint": "5c1f0f6f2d9d1b7a"}
        data = {"status": status, "externalURL": "http://127.0.0.1:9093", "alerts": [one | when for one in alerts]}
        (self._directory / "data.json").write_text(json.dumps(data))
        command = [
            require_program("amtool", "prometheus-alertmanager"), "template", "render", f"--template.type={kind}",
            f"--template.glob={self._directory}/*.tmpl", f'--template.text={{{{ template "{template}" . }}}}',
            f"--template.data={self._directory / 'data.json'}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        _, *each = re.split(r"(?m)^(?=<section)", done.stdout) if kind == "html" else FIRST.split(done.stdout)
        assert len(each) == len(alerts)
        return each


@pytest.fixture
def rendering(tmp_path: Path) -> Rendering:
    return Rendering(tmp_path)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_each_says_in_one_sentence_what_is_wrong_and_since_when(rendering: Rendering) -> None:
    alerts = fired()
    assert {one["labels"]["alertname"] for one in alerts} == shipped().keys()
    firing = rendering.of("upkeeper.email.text", alerts, "firing")
    slack = rendering.of("upkeeper.slack.text", alerts, "firing")
    for one, text, short in zip(alerts, firing, slack, strict=True):
        alert, annotations = one["labels"]["alertname"], one["annotations"]
        summary, description = annotations["summary"], " ".join(annotations["description"].split())
        assert text.startswith(f"{summary}\n\n"), alert
        assert len(summary) <= 110, alert
        assert "\n" not in summary, alert
        assert description not in ("", summary), alert
        assert description.endswith((".", "!")), alert
        assert alert in STATES or re.search(r"\d", summary + description), f"{alert} has no number: {summary}"
        assert re.search(r"^Since: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? UTC$", text, re.MULTILINE), alert
        assert f"Alert: {alert}" in text
        assert f"\nTo do first: {annotations['action']}\n" in text, alert
        assert f"\nTo do first: {escaped(annotations['action'])}\n" in short, alert
        assert not BROKEN.search(text.partition("To silence")[0]), f"{alert}: {text}"
        assert not BROKEN.search(short), f"{alert}: {short}"
        assert not re.search(r"[<>]", short), alert


def test_each_end_says_what_had_been_wrong_and_what_its_end_means(rendering: Rendering) -> None:
    alerts = fired()
    resolved = rendering.of("upkeeper.email.text", alerts, "resolved")
    pages = rendering.of("upkeeper.email.html", alerts, "resolved", kind="html")
    means: dict[str, set[str]] = {}
    for one, text, page in zip(alerts, resolved, pages, strict=True):
        alert, annotations = one["labels"]["alertname"], one["annotations"]
        assert text.startswith(f"{annotations['summary']}\n\nWhat was wrong: {annotations['description']}\n"), alert
        said = annotations["ended"].replace(" +0000 UTC", " UTC")
        assert said.endswith("."), alert
        assert f"\nWhy it ended: {said} (An alert also ends when its metrics disappear" in text, alert
        assert "\nUntil: 2026-03-01 12:45:30 UTC, 15m30s after the alert began\n" in text, alert
        assert ("Why it ended: " in page, "#2e7d32" in page) == (True, True), alert
        assert "The condition of its rule no longer holds" not in text + page, alert
        assert "To do first" not in text + page, f"{alert} has ended"
        assert not BROKEN.search(text), f"{alert}: {text}"
        means.setdefault(re.sub(r"\d+", "", said), set()).add(alert)
    assert not {said: of for said, of in means.items() if len(of) > 1}, "the end of each says what that one means"
