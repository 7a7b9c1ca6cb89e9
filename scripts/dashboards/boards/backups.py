"""Backups: how old, how large, and whether anybody has tried to restore them."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.looks import ANY_IS_BAD, OVER_LIMIT, SUCCESS, YES_IS_GOOD, YES_IS_ODD, Json
from scripts.dashboards.panels import Column, Query, gauges, series, stat, states, table
from scripts.dashboards.scope import Variable

AGE = "(time() - upkeeper_backup_last_success_timestamp_seconds)"
MAX_AGE = "upkeeper_backup_max_age_seconds"
SIZE = "upkeeper_backup_size_bytes"
EXPECTED = "upkeeper_backup_size_expected_bytes"
MIN_RATIO = "upkeeper_backup_size_min_ratio"
VERIFIED = "(time() - max by (instance, backup) (upkeeper_backup_last_verify_timestamp_seconds))"
MAX_VERIFIED = "upkeeper_backup_max_verify_age_seconds"
RESTORED = "(time() - upkeeper_backup_last_restore_test_timestamp_seconds)"
MAX_RESTORED = "upkeeper_backup_max_restore_test_age_seconds"
OF = "on (instance, backup)"
NAME = {"backup": "Backup"}


def board() -> Board:
    """Of the backups that one exporter watches."""
    rows = (
        Row("Now", _now()),
        Row("Age", _age()),
        Row("Size", _size()),
        Row("Verification", _verification()),
        Row("Proofs", _proofs()),
    )
    variables = (exporter(), Variable("backup", "Backup", "upkeeper_backup_up", "backup"))
    about = "Whether the backups are recent, as large as expected, and can be restored."
    return Board("upkeeper-backups", "Upkeeper backups", about, rows, variables)


def _now() -> list[Json]:
    small = f"{SIZE} < {OF} upkeeper_backup_size_min_bytes or {SIZE} < {OF} ({EXPECTED} * {OF} {MIN_RATIO})"
    failed = "upkeeper_backup_verify_success == 0 or upkeeper_backup_restore_test_success == 0"
    return [
        stat("Backups", "count(upkeeper_backup_up)"),
        stat(
            "Overdue",
            f"count({AGE} > {OF} {MAX_AGE} or upkeeper_backup_sets == 0) or vector(0)",
            about="The newest complete set is older than max_age, or there is none.",
            steps=ANY_IS_BAD,
        ),
        stat(
            "Unreadable",
            "count(upkeeper_backup_up == 0) or vector(0)",
            about="The directory or repository could not be read, so that nobody knows whether it is overdue.",
            steps=ANY_IS_BAD,
        ),
        stat(
            "Too small",
            f"count({small}) or vector(0)",
            about="The newest complete set is smaller than min_bytes, or than min_size_ratio of those before it.",
            steps=ANY_IS_BAD,
        ),
        stat(
            "Checks failed", f"count({failed}) or vector(0)", about="Verifications and restore tests.", steps=ANY_IS_BAD
        ),
        stat(
            "Checks overdue",
            f"count({MAX_VERIFIED} unless {OF} ({VERIFIED} <= {OF} {MAX_VERIFIED})"
            f" or {MAX_RESTORED} unless {OF} ({RESTORED} <= {OF} {MAX_RESTORED})) or vector(0)",
            about="Verifications and restore tests that the config asks for and that are too long ago, or never were.",
            steps=ANY_IS_BAD,
        ),
    ]


def _age() -> list[Json]:
    return [
        series(
            "Age of the newest complete set",
            Query(f"max by (backup) ({AGE})", "{{backup}}"),
            Query(f"max by (backup) ({MAX_AGE})", "{{backup}} limit", limit=True),
            unit="s",
            width=12,
        ),
        gauges(
            "Age, of the limit",
            Query(f"max by (backup) ({AGE} / {OF} {MAX_AGE})", "{{backup}}"),
            about="A backup that could not be read, or that has no complete set, is missing here.",
        ),
        table(
            "Backups",
            NAME,
            Column("Readable", "upkeeper_backup_up", mappings=YES_IS_GOOD),
            Column("Newest", "upkeeper_backup_last_success_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Age", AGE, "s"),
            Column("Limit", MAX_AGE, "s"),
            Column("Of the limit", f"{AGE} / {OF} {MAX_AGE}", "percentunit", steps=OVER_LIMIT),
            Column("Oldest", "upkeeper_backup_oldest_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Sets", "upkeeper_backup_sets"),
            Column("Being written", "upkeeper_backup_in_progress"),
            width=24,
        ),
    ]


def _size() -> list[Json]:
    return [
        series(
            "Size of the newest complete set",
            Query(f"max by (backup) ({SIZE})", "{{backup}}"),
            Query(f"max by (backup) ({EXPECTED})", "{{backup}} expected", limit=True, colour="blue"),
            Query("max by (backup) (upkeeper_backup_size_min_bytes)", "{{backup}} at least", limit=True),
            unit="bytes",
            about="Expected is the median of up to seven sets before it; from three sets on.",
            width=12,
        ),
        series(
            "Size, of what is expected",
            Query(f"max by (backup) ({SIZE} / {OF} {EXPECTED})", "{{backup}}"),
            Query(f"max by (backup) ({MIN_RATIO})", "{{backup}} at least", limit=True),
            unit="percentunit",
            about="Beside min_size_ratio. Empty until there are sets to compare with.",
            width=12,
            min=0,
        ),
        series("Complete sets", Query("max by (backup) (upkeeper_backup_sets)", "{{backup}}"), width=12),
        series(
            "Sets that do not count",
            Query("max by (backup, reason) (upkeeper_backup_uncounted_sets)", "{{backup}} {{reason}}"),
            about="Never completed, unreadable, or dated in the future.",
            style="stacked",
            width=12,
        ),
    ]


def _verification() -> list[Json]:
    verify, restore = "upkeeper_backup_verify_success", "upkeeper_backup_restore_test_success"
    return [
        states("Verification", Query(f"min by (backup, level) ({verify})", "{{backup}} {{level}}"), SUCCESS),
        states("Restore tests", Query(f"min by (backup) ({restore})", "{{backup}}"), SUCCESS),
        series(
            "Age of the last verification",
            Query(f"max by (backup) ({VERIFIED})", "{{backup}}"),
            Query(f"max by (backup) ({MAX_VERIFIED})", "{{backup}} limit", limit=True),
            unit="s",
            about="Of whatever level. A level is how deep it went: readable, checksums, restored.",
            width=12,
        ),
        series(
            "Age of the last restore test",
            Query(f"max by (backup) ({RESTORED})", "{{backup}}"),
            Query(f"max by (backup) ({MAX_RESTORED})", "{{backup}} limit", limit=True),
            unit="s",
            width=12,
        ),
        table(
            "Verifications",
            NAME | {"level": "Level"},
            Column("Result", verify, mappings=SUCCESS),
            Column("Ended", "upkeeper_backup_last_verify_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Age", "time() - upkeeper_backup_last_verify_timestamp_seconds", "s"),
        ),
        table(
            "Restore tests now",
            NAME,
            Column("Result", restore, mappings=SUCCESS),
            Column("Ended", "upkeeper_backup_last_restore_test_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Of the limit", f"{RESTORED} / {OF} {MAX_RESTORED}", "percentunit", steps=OVER_LIMIT),
        ),
    ]


def _proofs() -> list[Json]:
    proven = "(time() - upkeeper_backup_proven_timestamp_seconds)"
    most, by = "upkeeper_backup_max_proven_age_seconds", "on (instance, backup, proof)"
    return [
        series(
            "Age of the newest set that was proven",
            Query(f"max by (backup, proof) ({proven})", "{{backup}} {{proof}}"),
            Query(f"max by (backup, proof) ({most})", "{{backup}} {{proof}} limit", limit=True),
            unit="s",
            about="Checksums, readable, restored into a scratch server, drilled in a sandbox.",
            width=12,
        ),
        table(
            "Proofs",
            NAME | {"proof": "Proof"},
            Column("Newest set", "upkeeper_backup_proven_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Age", proven, "s"),
            Column("Of the limit", f"{proven} / {by} {most}", "percentunit", steps=OVER_LIMIT),
            Column("Sets that failed", "upkeeper_backup_proof_failed_sets", steps=ANY_IS_BAD),
        ),
        states(
            "Retention deletes nothing",
            Query("max by (backup, reason) (upkeeper_backup_retention_refused)", "{{backup}} {{reason}}"),
            YES_IS_ODD,
            about="Though there are sets to spare: it waits for what its reason names.",
        ),
        series(
            "Room for the next set",
            Query("min by (backup) (upkeeper_backup_room_bytes)", "{{backup}}"),
            Query("max by (backup) (upkeeper_backup_next_size_max_bytes)", "{{backup}} needs", limit=True),
            unit="bytes",
            about="Of series that Upkeeper makes.",
            width=12,
        ),
    ]
