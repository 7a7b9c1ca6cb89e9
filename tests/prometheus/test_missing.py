"""Data that are missing raise no alert: what a rule reads is taken out of a test in which it fires, each by itself."""

import re
from pathlib import Path

import pytest
import yaml

from tests.helpers import LONG
from tests.prometheus.cases import read_by, without
from tests.prometheus.test_rules import DUMPER, ROOT, RULES, TEST_FILES, promtool_test

FIRES_WITHOUT: dict[str, tuple[str, set[str]]] = {
    "UpkeeperAlertsNotSent": (
        "not to know of the remediator excuses nothing",
        {"up"},
    ),
    "UpkeeperAuditCutOff": (
        "a restore explains a shorter audit; without one nothing does",
        {"upkeeper_state_restored_timestamp_seconds"},
    ),
    "UpkeeperBackupCopyOverdue": (
        "a set that was never copied is overdue, too",
        {"upkeeper_backup_copied_timestamp_seconds"},
    ),
    "UpkeeperBackupOverdue": (
        "it also fires where there is no set at all",
        {"upkeeper_backup_last_success_timestamp_seconds", "upkeeper_backup_max_age_seconds"},
    ),
    "UpkeeperBackupTooSmall": (
        "one limit of two is enough",
        {"upkeeper_backup_size_min_bytes"},
    ),
    "UpkeeperBackupUnproven": (
        "a set of which nothing is proven is unproven, too",
        {"upkeeper_backup_proven_timestamp_seconds"},
    ),
    "UpkeeperBackupVerifyFailed": (
        "one check of two is enough",
        {"upkeeper_backup_restore_test_success", "upkeeper_backup_verify_success"},
    ),
    "UpkeeperBackupVerifyOverdue": (
        "one check of two is enough",
        {
            "upkeeper_backup_last_restore_test_timestamp_seconds",
            "upkeeper_backup_last_verify_timestamp_seconds",
            "upkeeper_backup_max_restore_test_age_seconds",
        },
    ),
    "UpkeeperBallastMissing": (
        "bytes and inodes each are enough",
        {"upkeeper_ballast_inodes", "upkeeper_ballast_wanted_inodes"},
    ),
    "UpkeeperClockOff": (
        "the offset and the synchronization each are enough",
        {"upkeeper_host_clock_offset_seconds", "upkeeper_host_clock_synchronized"},
    ),
    "UpkeeperContainerOomKilled": (
        "the time of the kill is enough",
        {"upkeeper_container_oom_killed"},
    ),
    "UpkeeperExporterDown": (
        "its absence is what it is about",
        {"up"},
    ),
    "UpkeeperFilesystemFilling": (
        "not to know whether it is read-only excuses nothing",
        {"upkeeper_filesystem_readonly"},
    ),
    "UpkeeperFilesystemFull": (
        "not to know whether it is read-only excuses nothing",
        {"upkeeper_filesystem_readonly"},
    ),
    "UpkeeperImageCheckFailing": (
        "a registry that has never answered is one that cannot be asked, too",
        {
            "upkeeper_image_check_max_age_seconds",
            "upkeeper_image_checked_timestamp_seconds",
            "upkeeper_image_last_check_timestamp_seconds",
        },
    ),
    "UpkeeperInodesShort": (
        "not to know whether it is read-only excuses nothing",
        {"upkeeper_filesystem_readonly"},
    ),
    "UpkeeperMemoryShort": (
        "what is available is enough",
        {"upkeeper_host_memory_max_pressure_ratio", "upkeeper_host_pressure_ratio"},
    ),
    "UpkeeperPausedTooLong": (
        "the pause of everything is enough",
        {"upkeeper_task_paused_since_timestamp_seconds"},
    ),
    "UpkeeperPostgresFreezeBehind": (
        "one of the two counters is enough",
        {"upkeeper_postgres_xid_age_max_transactions", "upkeeper_postgres_xid_age_transactions"},
    ),
    "UpkeeperRemediatorDown": (
        "its absence is what it is about",
        {"up"},
    ),
    "UpkeeperUpdatesUnknown": (
        "lists that were never refreshed are too old",
        {"upkeeper_host_package_lists_max_age_seconds", "upkeeper_host_package_lists_refreshed_timestamp_seconds"},
    ),
}
"""Of an alert, why it fires all the same, and without which metrics."""


def test_each_alert_is_tried_without_each_metric_that_it_reads() -> None:
    """So that the long form below leaves out none, also of alerts to come."""
    tried = {test["name"] for document in TEST_FILES.values() for test in without(document, RULES)}
    wanted = {(alert, metric) for alert, rule in RULES.items() for metric in read_by(rule["expr"])}
    assert {tuple(name.split()) for name in tried} == wanted
    assert {alert for alert, _ in wanted} == RULES.keys() - {"Watchdog"}, "what reads nothing misses nothing"


@LONG
@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_an_alert_is_quiet_without_what_it_reads(tmp_path: Path) -> None:
    files = []
    for name, document in TEST_FILES.items():
        rules = [str(ROOT / "prometheus" / "rules" / Path(file).name) for file in document["rule_files"]]
        file = tmp_path / f"{name}.yml"
        changed = document | {"rule_files": rules, "tests": without(document, RULES)}
        file.write_text(yaml.dump(changed, Dumper=DUMPER))
        files.append(file)
    done = promtool_test(files)
    fired = set(re.findall(r"name: (\w+) (\w+),\s+alertname:", done.stdout))
    assert done.stdout.count("got:") == len(fired), done.stdout
    meant = {(alert, metric) for alert, (_, metrics) in FIRES_WITHOUT.items() for metric in metrics}
    assert fired == meant, done.stdout
