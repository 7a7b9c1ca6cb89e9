"""The row of updates on the dashboard of the host."""

from scripts.dashboards.board import Row
from scripts.dashboards.looks import ANY_IS_ODD, YES_IS_GOOD, YES_IS_ODD, Json
from scripts.dashboards.panels import Column, Query, gauges, series, states, table

HOST = "upkeeper_host_"
SEEN = "Empty when none waits, and in the first hour."


def row() -> Row:
    """With its panels."""
    return Row("Updates", _updates())


def _updates() -> list[Json]:
    refreshed = "upkeeper_host_package_lists_refreshed_timestamp_seconds"
    return [
        series(
            "Updates that wait",
            Query("max by (manager) (upkeeper_host_updates_pending)", "{{manager}}"),
            Query("max by (manager) (upkeeper_host_security_updates_pending)", "{{manager}} security"),
            about="Security updates include those held back.",
        ),
        series(
            "Age of the package lists",
            Query(f"max by (manager) (time() - {refreshed})", "{{manager}}"),
            Query("min(upkeeper_host_package_lists_max_age_seconds)", "limit", limit=True),
            unit="s",
            about="Lists that are too old do not tell what waits.",
        ),
        table(
            "Package managers",
            {"manager": "Manager"},
            Column("Answers", "upkeeper_host_package_manager_up", mappings=YES_IS_GOOD),
            Column("Pending", "upkeeper_host_updates_pending"),
            Column("Security", "upkeeper_host_security_updates_pending", steps=ANY_IS_ODD),
            Column("Held back", "upkeeper_host_updates_held_back"),
            Column("Phased", "upkeeper_host_updates_phased"),
            about="Held back: an upgrade would not install them. Phased: not yet released to this host.",
            width=8,
        ),
        states(
            "Reboot needed",
            Query("max(upkeeper_host_reboot_required)", "reboot"),
            YES_IS_ODD,
            "Because of updates; absent where the host does not tell.",
            width=8,
        ),
        gauges(
            "Security updates wait, of what they may",
            Query(
                _waiting(f"{HOST}security_updates_pending", f"{HOST}security_updates_max_pending_seconds", "manager"),
                "{{manager}}",
            ),
            about=f"How long some have waited, beside security_updates_max_pending. {SEEN}",
            width=8,
        ),
        gauges(
            "The reboot waits, of what it may",
            Query(_waiting(f"{HOST}reboot_required", f"{HOST}reboot_max_pending_seconds"), "reboot"),
            about=f"How long it has been needed, beside reboot_max_pending. {SEEN}",
            width=8,
        ),
    ]


def _waiting(metric: str, limit: str, *labels: str) -> str:
    """Since it was 0 the last time, else since it was first seen, as prometheus/rules/updates.yml records it."""
    # That is each five minutes, which is as long as a sample holds.
    since = f"last_over_time({'_'.join(['job_instance', *labels])}:{metric}:since_timestamp_seconds[15m])"
    now = f"last_over_time({metric}[3h]) > 0"
    ratio = f"(time() - {since}) / on (instance) group_left () {limit}"
    return f"max by ({', '.join(labels)}) ({ratio} and on ({', '.join(['instance', *labels])}) {now})"
