"""The alert rules: promtool runs their tests, those tests can fail, and each alert has its runbook."""

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.config.config import Config
from remediator.config.matchers import parse_matchers
from remediator.config.shipped import default_remedies
from remediator.monitoring.alertmanager import TEST
from remediator.tasks.registry import FACTS
from tests.helpers import LONG, long_form
from tests.metric_names import METRICS
from tests.prometheus.cases import LEAN, at_once, kept_for, moved, not_kept, of_dips, seconds, telling
from tests.servers import tool
from upkeeper.look.check_remedies import KEPT_FIRING
from upkeeper.share import share_path
from upkeeper.table import SECTIONS
from upkeeper.up.inhibition import inhibit_rules

ROOT = share_path()


def documents(directory: str) -> dict[str, dict[str, Any]]:
    # By libyaml: each worker reads them when it collects the tests, and Python would take it half a second.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return {file.stem: yaml.load(file.read_bytes(), loader) for file in sorted((ROOT / directory).glob("*.yml"))}


RULE_FILES = documents("prometheus/rules")  # by subject
TEST_FILES = documents("prometheus/tests")  # SUBJECT, or SUBJECT_days for what takes another scale of time
GROUPS = [(subject, group) for subject, document in RULE_FILES.items() for group in document["groups"]]
FOUND = [(subject, rule) for subject, group in GROUPS for rule in group["rules"] if "alert" in rule]
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for _, rule in FOUND}
SUBJECTS: dict[str, str] = {rule["alert"]: subject for subject, rule in FOUND}
CASES: list[dict[str, Any]] = [
    case for document in TEST_FILES.values() for test in document["tests"] for case in test["alert_rule_test"]
]
ALERTS = sorted(RULES)
KEPT: dict[str, str] = {alert: rule["keep_firing_for"] for alert, rule in RULES.items() if "keep_firing_for" in rule}
"""How long they go on firing after their value was within its limit, as the rules say it."""
COMMANDS = {name for commands in SECTIONS.values() for name in commands}
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def later(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {**rule, "for": f"{int(2 * seconds(rule.get('for', '0s')) + 3600)}s"}


# Of a rule that never fires it is known without a run: the rules as they ship pass, and each alert has a case that
# wants it to fire. Of the severity it is asked for in another way.
CHANGES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"fires too late": later} | (
    {
        "never fires": lambda rule: {**rule, "expr": "vector(1) < 0"},
        "has another severity": lambda rule: {**rule, "labels": {"severity": "other"}},
    }
    if long_form()
    else {}
)


EDGES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]] = {
    "moves its first limit": lambda rule: moved(rule, 0),
    "moves its second limit": lambda rule: moved(rule, 1),
    "moves its third limit": lambda rule: moved(rule, 2),
    "waits for nothing": at_once,
}
DIPS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]] = {
    "ends at the first dip": not_kept,
    "ends a minute early": kept_for(-60),
    "ends a minute late": kept_for(60),
}
SAME_AT_THE_EDGE: Mapping[str, Mapping[str, str]] = {
    "moves its first limit": {
        "UpkeeperImageUpdateFailed": "a time that was noted is never 0",
        "UpkeeperSecurityUpdatesOverdue": "where none is pending, they have waited since now",
    },
}
"""Alerts of which an edge is nothing that there is, and why."""


def promtool_test(files: Iterable[Path]) -> subprocess.CompletedProcess[str]:
    """Runs the test files in one process. The output is stdout and stderr as they came."""
    command = [tool("promtool", "prometheus"), "test", "rules", *map(str, files)]
    env = os.environ | LEAN
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.mark.slow
def test_promtool_passes() -> None:
    done = promtool_test(sorted((ROOT / "prometheus" / "tests").glob("*.yml")))
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Mapping[str, str]]:
    """What promtool says of the test files, by their names, when all alerts have the change.

    One run for all: a case asks for one alert, and no alert reads another, so what fails says whose it is.
    """

    @cache
    def of_all(change: str) -> Mapping[str, str]:
        directory = tmp_path_factory.mktemp("changed")
        output = changed(directory, CHANGES[change], lambda document: document | {"tests": telling(document)})
        parts = re.split(r"^Unit Testing: +(.+)$", output, flags=re.MULTILINE)
        return {Path(file).stem: verdict for file, verdict in zip(parts[1::2], parts[2::2], strict=True)}

    return of_all


def changed(
    directory: Path,
    change: Callable[[Mapping[str, Any]], Mapping[str, Any] | None],
    tests: Callable[[dict[str, Any]], Mapping[str, Any]] = lambda document: document,
) -> str:
    """What promtool says of the tests when each alert that the change has something for has it."""
    for part in ("rules", "tests"):
        (directory / part).mkdir()
    for subject, document in RULE_FILES.items():
        groups = [
            group | {"rules": [change(rule) or rule if "alert" in rule else rule for rule in group["rules"]]}
            for group in document["groups"]
        ]
        (directory / "rules" / f"{subject}.yml").write_text(yaml.dump({"groups": groups}, Dumper=DUMPER))
    for name, document in TEST_FILES.items():
        (directory / "tests" / f"{name}.yml").write_text(yaml.dump(tests(document), Dumper=DUMPER))
    return promtool_test(sorted((directory / "tests").iterdir())).stdout


def failing(output: str) -> set[str]:
    """The alerts of which a case failed, and not a file that promtool cannot read."""
    return set(re.findall(r"alertname: (\w+),(?:(?!alertname:).)*?got:", output, flags=re.DOTALL))


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_broken_rule_fails_its_tests(change: str, said: Callable[[str], Mapping[str, str]]) -> None:
    # That they pass on the rules as these ship is the test above: else each change would fail, and show nothing.
    verdicts = said(change)
    assert verdicts.keys() == TEST_FILES.keys()
    failed = set().union(*map(failing, verdicts.values()))
    assert failed == set(ALERTS), f"no promtool test notices that one of {set(ALERTS) - failed} {change}"


@LONG
@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("edge", [*EDGES])
def test_what_is_just_at_an_edge_is_tried(edge: str, tmp_path: Path) -> None:
    """A case tells whether what is just at a limit fires, and one that a delay is kept."""
    change = EDGES[edge]
    has = {alert for alert, rule in RULES.items() if change(rule) is not None}
    unnoticed = has - failing(changed(tmp_path, change)) - SAME_AT_THE_EDGE.get(edge, {}).keys()
    assert has
    assert not unnoticed, f"no promtool test notices that one of {unnoticed} {edge}"


@pytest.mark.slow
@pytest.mark.parametrize("change", DIPS)
def test_how_long_an_alert_is_kept_is_tried(change: str, tmp_path: Path) -> None:
    """That a dip shorter than `keep_firing_for` does not end it, and that it ends after one that lasts as long."""
    output = changed(tmp_path, DIPS[change], lambda document: document | {"tests": of_dips(document)})
    failed = set(re.findall(r'ALERTS\{alertname=\\?"(\w+)\\?"(?:(?!ALERTS\{).)*?got:', output, flags=re.DOTALL))
    assert failed == set(KEPT), output


@pytest.mark.parametrize("alert", sorted(KEPT))
def test_an_alert_that_is_kept_has_the_reason_beside_it_and_its_runbook_says_so(alert: str) -> None:
    rules = (ROOT / "prometheus" / "rules" / f"{SUBJECTS[alert]}.yml").read_text()
    assert re.search(rf"- alert: {alert}\n(?:(?!- alert:).)*?\n +# [^\n]+\.\n +keep_firing_for: ", rules, re.DOTALL)
    minutes = seconds(KEPT[alert]) / 60
    assert f"ends when that has been over for {minutes:.0f} minutes" in " ".join(
        (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text().split()
    )


def test_the_page_has_each_alert_that_is_kept() -> None:
    page = (ROOT / "docs" / "how-to" / "messages.md").read_text()
    rows = re.findall(r"^\| `(Upkeeper\w+)` \| (\d+) minutes \| \S.* \|$", page, flags=re.MULTILINE)
    assert {alert: f"{minutes}m" for alert, minutes in rows} == KEPT


def test_no_alert_is_kept_on_whose_end_something_waits() -> None:
    """A remedy judges by the end whether it helped; what another alert mutes would be told once that has ended; and
    one that mutes others would keep them from people and remedies.
    """
    mutes = yaml.safe_load((ROOT / "alertmanager" / "alertmanager.yml").read_text())["inhibit_rules"]
    probes = [{"url": "http://127.0.0.1:1/"}]
    services = [
        {"name": "a", "container": "a", "probes": probes, "needs": ["b", "c", "d"]},
        {"name": "b", "probes": probes},
    ]
    servers = {"postgres": [{"name": "c"}], "neo4j": [{"name": "d", "uri": "bolt://127.0.0.1:7687"}]}
    mutes += inhibit_rules(Config.model_validate({"services": services, **servers}))
    texts = [remedy.match for remedy in default_remedies()]
    texts += [rule[side] for rule in mutes for side in ("source_matchers", "target_matchers")]
    assert len(mutes) > 2
    for text in texts:
        named = [matcher for one in text for matcher in parse_matchers(one) if matcher.name == "alertname"]
        assert named
        assert not [alert for alert in KEPT if all(one.matches({"alertname": alert}) for one in named)], text


def test_check_knows_which_alerts_are_kept() -> None:
    assert {alert: seconds(kept) for alert, kept in KEPT.items()} == KEPT_FIRING


def test_no_alert_reads_another() -> None:
    for alert, rule in RULES.items():
        assert set(re.findall(r"ALERTS\w*\{[^}]*?alertname=\"([^\"]*)\"", rule["expr"])) <= {alert}


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


@pytest.mark.parametrize("alert", sorted(set(ALERTS) - {"Watchdog"}))
def test_each_alert_has_a_case_at_its_edge(alert: str) -> None:
    """Quiet in one evaluation, firing in the next: so that neither its limit nor its delay can move unnoticed."""
    evaluated = max(seconds(group["interval"]) for _, group in GROUPS if RULES[alert] in group["rules"])
    apart = []
    for document in TEST_FILES.values():
        for test in document["tests"]:
            cases = sorted(
                (seconds(case["eval_time"]), bool(case["exp_alerts"]))
                for case in test["alert_rule_test"]
                if case["alertname"] == alert
            )
            step = max(evaluated, seconds(document["evaluation_interval"]))
            apart += [(one - before) / step for (before, fired), (one, fires) in pairwise(cases) if fires > fired]
    assert min(apart, default=inf) <= 1


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_its_severity_its_texts_and_its_runbook(alert: str) -> None:
    rule = RULES[alert]
    assert rule["labels"]["severity"] in ({"none"} if alert == "Watchdog" else {"warning", "critical"})
    texts = {"summary", "description"} | (set() if alert == "Watchdog" else {"action", "ended"})
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


def test_what_is_recorded_is_named_as_such_rules_are_tried_and_read() -> None:
    """level:metric:operations (https://prometheus.io/docs/practices/rules/), for an alert and for a dashboard."""
    recorded = [rule for _, group in GROUPS for rule in group["rules"] if "record" in rule]
    assert recorded
    tried = {
        re.split(r"[{ \[]", case["expr"])[0]
        for document in TEST_FILES.values()
        for test in document["tests"]
        for case in test.get("promql_expr_test", ())
    }
    boards = " ".join(path.read_text() for path in (ROOT / "grafana" / "dashboards").glob("*.json"))
    for rule in recorded:
        level, metric, operations = rule["record"].split(":")
        assert (level.startswith("job_instance"), metric in METRICS, bool(operations)) == (True, True, True)
        assert set(re.findall(r"\bupkeeper_\w+", rule["expr"])) == {metric}
        assert [alert for alert in ALERTS if rule["record"] in RULES[alert]["expr"]], f"no alert reads {rule['record']}"
        assert rule["record"] in boards, f"no dashboard reads {rule['record']}"
        assert rule["record"] in tried, f"no promtool test of {rule['record']}"


@pytest.mark.parametrize("alert", ALERTS)
def test_since_is_asked_of_its_own_alert(alert: str) -> None:
    since = RULES[alert]["annotations"].get("since", "")
    assert set(re.findall('alertname="([^"]*)"', since)) <= {alert}


@pytest.mark.parametrize("alert", sorted(set(ALERTS) - {"Watchdog"}))
def test_what_a_person_is_to_do_is_one_sentence_with_commands_that_exist(alert: str) -> None:
    """And what stands in a command comes from the config, or is a name that Docker takes: a person copies it."""
    action = RULES[alert]["annotations"]["action"]
    assert action.endswith(".")
    assert len(action) <= 200
    for words in re.findall(r"`upkeeper ([^`]*)`", action):
        command, *rest = words.split(" ")
        assert command in COMMANDS, words
        if command in ("plan", "run"):
            assert rest[0] in FACTS, words
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(re.findall("`[^`]*`", action))))
    assert named <= {"backup", "database", "directory", "manager", "server", "target", "task"}
