"""The alert rules: promtool runs their tests, those tests can fail, and each alert has its runbook."""

import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.monitoring.alertmanager import TEST
from tests.helpers import long_form
from tests.metric_names import METRICS
from tests.servers import tool
from upkeeper.share import share_path

ROOT = share_path()


def documents(directory: str) -> dict[str, dict[str, Any]]:
    # By libyaml: each worker reads them when it collects the tests, and Python would take it half a second.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return {file.stem: yaml.load(file.read_bytes(), loader) for file in sorted((ROOT / directory).glob("*.yml"))}


RULE_FILES = documents("prometheus/rules")  # by subject
TEST_FILES = documents("prometheus/tests")  # SUBJECT, or SUBJECT_days for what takes another scale of time
GROUPS = [(subject, group) for subject, document in RULE_FILES.items() for group in document["groups"]]
FOUND = [(subject, rule) for subject, group in GROUPS for rule in group["rules"]]
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for _, rule in FOUND}
SUBJECTS: dict[str, str] = {rule["alert"]: subject for subject, rule in FOUND}
CASES: list[dict[str, Any]] = [
    case for document in TEST_FILES.values() for test in document["tests"] for case in test["alert_rule_test"]
]
ALERTS = sorted(RULES)
# Each costs a run of the rule's tests. That of the severity is asked for in another way, too.
CHANGES: list[Mapping[str, Any]] = [
    {"expr": "vector(1) < 0"},
    {"for": "1h"},
    *([{"labels": {"severity": "other"}}] if long_form() else ()),
]


def promtool_test(files: Iterable[Path]) -> subprocess.CompletedProcess[str]:
    """Runs the test files in one process. The output is stdout and stderr as they came."""
    command = [tool("promtool", "prometheus"), "test", "rules", *map(str, files)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.mark.slow
def test_promtool_passes() -> None:
    done = promtool_test(sorted((ROOT / "prometheus" / "tests").glob("*.yml")))
    assert done.returncode == 0, done.stdout


def write_copy(directory: Path, alert: str, change: Mapping[str, Any]) -> Iterator[Path]:
    """The rule alone, with the change, and of its tests the cases that ask for it: what fails then fails by these."""
    rule = RULES[alert] | change
    for part in ("rules", "tests"):
        (directory / part).mkdir(parents=True)
    rules = {"groups": [{"name": "copy", "rules": [rule]}]}
    (directory / "rules" / f"{SUBJECTS[alert]}.yml").write_text(yaml.safe_dump(rules))
    for name, document in TEST_FILES.items():
        tests = [
            test | {"alert_rule_test": cases}
            for test in document["tests"]
            if (cases := [case for case in test["alert_rule_test"] if case["alertname"] == alert])
        ]
        if tests:
            file = directory / "tests" / f"{name}.yml"
            file.write_text(yaml.safe_dump(document | {"tests": tests}))
            yield file


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Mapping[str, Any]], list[str]]:
    """What promtool says of each test file of an alert whose rule has the change, or is as it ships ({}).

    One run for all rules of a subject and all their changes. A run for each took six times as long.
    """

    @cache
    def of_subject(subject: str) -> dict[tuple[str, str], list[str]]:
        directory = tmp_path_factory.mktemp(subject)
        copies = {
            (alert, str(change)): list(write_copy(directory / f"{alert}-{number}", alert, change))
            for alert in ALERTS
            if SUBJECTS[alert] == subject
            for number, change in enumerate([{}, *CHANGES])
        }
        output = promtool_test(file for files in copies.values() for file in files).stdout
        parts = re.split(r"^Unit Testing: +(.+)$", output, flags=re.MULTILINE)
        verdicts = dict(zip(parts[1::2], parts[2::2], strict=True))
        return {copy: [verdicts[str(file)] for file in files] for copy, files in copies.items()}

    return lambda alert, change: of_subject(SUBJECTS[alert])[alert, str(change)]


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_broken_rule_fails_its_tests(
    alert: str, change: Mapping[str, Any], said: Callable[[str, Mapping[str, Any]], list[str]]
) -> None:
    # A test that fails on the rule as it ships would fail on each change, and show nothing.
    assert {verdict.strip() for verdict in said(alert, {})} == {"SUCCESS"}, said(alert, {})
    failed = [verdict for verdict in said(alert, change) if verdict.strip() != "SUCCESS"]
    assert failed, f"no promtool test notices {change} of {alert}"
    # By a case, and not by a file that promtool cannot read.
    assert all(f"alertname: {alert}," in verdict and "got:" in verdict for verdict in failed), failed


def test_each_rule_file_has_its_tests_under_its_name() -> None:
    assert RULE_FILES.keys() <= TEST_FILES.keys()


@pytest.mark.parametrize("name", TEST_FILES)
def test_a_test_file_is_named_after_the_rule_file_that_it_tests(name: str) -> None:
    subject = name.removesuffix("_days")
    assert TEST_FILES[name]["rule_files"] == [f"../rules/{subject}.yml"]
    named = {case["alertname"] for test in TEST_FILES[name]["tests"] for case in test["alert_rule_test"]}
    assert {SUBJECTS[alert] for alert in named} == {subject}
    if name != subject:
        # Else it needs no file of its own.
        assert TEST_FILES[name]["evaluation_interval"] != TEST_FILES[subject]["evaluation_interval"]


def test_each_alert_has_one_rule() -> None:
    assert len(FOUND) == len(RULES)


def test_groups_keep_their_names_and_each_its_interval() -> None:
    """A Prometheus shows the names, and people ask for them. One may stand in several files, but not with two paces."""
    paces = {(group["name"], group["interval"]) for _, group in GROUPS}
    names = [name for name, _ in paces]
    assert len(names) == len(set(names))
    assert {"upkeeper-breaches", "upkeeper-watchdog"} <= set(names)
    for subject in RULE_FILES:
        within = [group["name"] for file, group in GROUPS if file == subject]
        assert len(within) == len(set(within))


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
def test_the_silence_of_a_runbook_is_of_its_alert_and_of_labels_that_it_has(alert: str) -> None:
    """A matcher of a label that an alert does not have silences nothing, and nobody is told."""
    runbook = (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text()
    silences = re.findall(r'--comment="why" alertname=(\w+)((?: \w+=\w+)*)$', runbook, flags=re.MULTILINE)
    assert [name for name, _ in silences] == ([] if alert == "Watchdog" else [alert])
    fired = [labels["exp_labels"] for case in CASES if case["alertname"] == alert for labels in case["exp_alerts"]]
    wanted = set(re.findall(r" (\w+)=", " ".join(more for _, more in silences)))
    assert all(wanted <= labels.keys() for labels in fired)


def test_pages_name_no_alert_that_does_not_exist() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    named = {name for page in pages for name in re.findall(r"\bUpkeeper[A-Z]\w+", page.read_text())}
    assert len(named) > len(ALERTS) / 2
    assert named - {TEST["alertname"]} <= set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_rule_reads_metrics_that_exist(alert: str) -> None:
    texts = " ".join([RULES[alert]["expr"], *RULES[alert]["annotations"].values()])
    assert set(re.findall(r"\bupkeeper_\w+", texts)) <= METRICS


@pytest.mark.parametrize("alert", ALERTS)
def test_since_is_asked_of_its_own_alert(alert: str) -> None:
    since = RULES[alert]["annotations"].get("since", "")
    assert set(re.findall('alertname="([^"]*)"', since)) <= {alert}
