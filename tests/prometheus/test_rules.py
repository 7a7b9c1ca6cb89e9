"""The alert rules: promtool runs their tests, those tests can fail, and each alert has its runbook."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.metric_names import METRICS
from tests.servers import tool
from upkeeper.share import share_path

ROOT = share_path()
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for file in (ROOT / "prometheus" / "rules").glob("*.yml")
    for group in yaml.safe_load(file.read_bytes())["groups"]
    for rule in group["rules"]
}
CASES: list[dict[str, Any]] = [
    case
    for file in (ROOT / "prometheus" / "tests").glob("*.yml")
    for test in yaml.safe_load(file.read_bytes())["tests"]
    for case in test["alert_rule_test"]
]
ALERTS = sorted(RULES)


def promtool_test(directory: Path, alert: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the tests that name the alert, or all."""
    files = [str(path) for path in sorted((directory / "tests").glob("*.yml")) if alert in path.read_text()]
    return subprocess.run(
        [tool("promtool", "prometheus"), "test", "rules", *files], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_promtool_passes() -> None:
    done = promtool_test(ROOT / "prometheus")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.servers  # no server, but many runs of promtool
@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("change", [{"expr": "vector(1) < 0"}, {"labels": {"severity": "other"}}, {"for": "1h"}])
def test_a_broken_rule_fails_its_tests(alert: str, change: dict[str, Any], tmp_path: Path) -> None:
    for part in ("rules", "tests"):
        shutil.copytree(ROOT / "prometheus" / part, tmp_path / part)
    for file in (tmp_path / "rules").glob("*.yml"):
        document = yaml.safe_load(file.read_bytes())
        for group in document["groups"]:
            for rule in group["rules"]:
                if rule["alert"] == alert:
                    rule.update(change)
        file.write_text(yaml.safe_dump(document))
    done = promtool_test(tmp_path, alert)
    assert done.returncode != 0, f"no promtool test notices {change} of {alert}"
    assert alert in done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_case_that_fires_and_one_that_does_not(alert: str) -> None:
    fires = [bool(case["exp_alerts"]) for case in CASES if case["alertname"] == alert]
    assert True in fires
    if alert != "Watchdog":
        assert False in fires


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_its_severity_its_texts_and_its_runbook(alert: str) -> None:
    rule = RULES[alert]
    assert rule["labels"]["severity"] in ({"none"} if alert == "Watchdog" else {"warning", "critical"})
    texts = {"summary", "description"} | (set() if alert == "Watchdog" else {"ended"})
    # The beginning of an alert with a `for:` is not that of its outage.
    assert set(rule["annotations"]) == texts | ({"since"} if "for" in rule else set())
    # The message has the host, by its name.
    assert not [text for text in rule["annotations"].values() if "as seen from" in text]
    runbook = (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text()
    assert runbook.startswith(f"# {alert}\n")
    headings = re.findall("^## (.+)$", runbook, flags=re.MULTILINE)
    assert headings == ["What it means", "What Upkeeper does by itself", "What to check", "How to silence it"]


def test_no_runbook_is_left_over() -> None:
    assert sorted(path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_each_rule_reads_metrics_that_exist(alert: str) -> None:
    texts = " ".join([RULES[alert]["expr"], *RULES[alert]["annotations"].values()])
    assert set(re.findall(r"\bupkeeper_\w+", texts)) <= METRICS


@pytest.mark.parametrize("alert", ALERTS)
def test_since_is_asked_of_its_own_alert(alert: str) -> None:
    since = RULES[alert]["annotations"].get("since", "")
    assert set(re.findall('alertname="([^"]*)"', since)) <= {alert}
