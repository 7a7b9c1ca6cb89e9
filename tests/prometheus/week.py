"""A stack in its normal life, minute by minute: what its exporter and remediator say, as input of promtool's tests.

Nights have a dump, backups, a cleanup and load; by day people work. There is a deploy, a reboot that was due, a
certificate that is renewed, a pause by a person, and small mishaps of a minute: what every stack has, and needs nobody.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

At = Callable[[int], float]
"""The value at a minute since the beginning, which is midnight."""

DAY = 24 * 60
GIB = 2.0**30
DEPLOY = 14 * 60
"""In the afternoon of the first day a service gets a new image."""
REBOOT = DAY + 4 * 60
"""In the second night. Prometheus runs on the same machine: until it is back nothing is scraped."""
BACK = REBOOT + 5
EXPORTER = 'job="upkeeper-exporter", instance="pa:10746"'
REMEDIATOR = 'job="upkeeper-remediator", instance="pa:10747"'


def always(value: float) -> At:
    return lambda minute: value


def within(begin: int, minutes: int, value: float = 1.0, else_: float = 0.0) -> At:
    """A value for so many minutes, once."""
    return lambda minute: value if begin <= minute < begin + minutes else else_


def nightly(hour: float, minutes: int, value: float, else_: float) -> At:
    return lambda minute: value if hour * 60 <= minute % DAY < hour * 60 + minutes else else_


def last_done(hour: float) -> At:
    """When what is done each day at that hour was last done, in seconds."""
    return lambda minute: 60.0 * ((minute - int(hour * 60)) // DAY * DAY + int(hour * 60))


def ahead(days: float) -> At:
    return lambda minute: (minute // 60 * 60) * 60.0 + days * 86400


def grows(per_hour: float, begin: float = 0.0, restarts: bool = False) -> At:
    """A counter, stepped each hour; ``restarts``: with the machine."""

    def value(minute: int) -> float:
        hours = (minute - REBOOT if restarts and minute >= REBOOT else minute) // 60
        return (0.0 if restarts and minute >= REBOOT else begin) + per_hour * hours

    return value


def sawtooth(low: float, per_hour: float, hour: int) -> At:
    """What grows all day and is cleaned up at that hour."""
    return lambda minute: low + per_hour * ((minute - hour * 60) % DAY // 60)


def _exporter() -> Iterator[tuple[str, str, At]]:
    """Metric without its prefix, labels, value."""
    disk = 'device="/dev/sda1", mountpoint="/", fstype="ext4"'
    yield "filesystem_size_bytes", disk, always(100 * GIB)
    free = sawtooth(20 * GIB, 0.3 * GIB, 2)
    yield "filesystem_avail_bytes", disk, lambda minute: 100 * GIB - 42 * GIB - free(minute)
    yield "filesystem_warn_used_ratio", disk, always(0.8)
    yield "filesystem_critical_used_ratio", disk, always(0.9)
    yield "filesystem_readonly", disk, always(0)
    yield "filesystem_files", disk, always(6e6)
    yield "filesystem_files_free", disk, sawtooth(5e6, -1e4, 2)
    yield "filesystem_device_error", disk, within(9 * 60, 1)
    yield "log_directory_up", 'directory="pa"', always(1)
    yield "log_allocated_bytes", 'directory="pa"', sawtooth(5e6, 1.8e6, 2)
    yield "log_max_bytes", 'directory="pa"', always(52428800)

    pa = 'backup="pa"'
    yield "backup_up", pa, within(11 * 60, 3, 0, 1)
    yield "backup_sets", pa, grows(1 / 24, 14)
    yield "backup_last_success_timestamp_seconds", pa, last_done(1.2)
    yield "backup_max_age_seconds", pa, always(93600)
    yield "backup_size_bytes", pa, grows(4e5, 2e9)
    yield "backup_size_expected_bytes", pa, grows(4e5, 1.98e9)
    yield "backup_size_min_bytes", pa, always(1e8)
    yield "backup_size_min_ratio", pa, always(0.5)
    yield "backup_verify_success", f'{pa}, level="checksums"', always(1)
    yield "backup_restore_test_success", pa, always(1)
    yield "backup_last_verify_timestamp_seconds", f'{pa}, level="checksums"', last_done(3)
    yield "backup_max_verify_age_seconds", pa, always(8 * 86400)
    yield "backup_last_restore_test_timestamp_seconds", pa, always(-20 * 86400)
    yield "backup_max_restore_test_age_seconds", pa, always(40 * 86400)
    yield "backup_proof_failed_sets", f'{pa}, proof="readable"', always(0)
    yield "backup_proven_timestamp_seconds", f'{pa}, proof="readable"', last_done(3)
    yield "backup_max_proven_age_seconds", f'{pa}, proof="readable"', always(9 * 86400)
    yield "backup_room_bytes", pa, sawtooth(30 * GIB, -0.1 * GIB, 2)
    yield "backup_next_size_max_bytes", pa, always(2.5e9)
    yield "backup_retention_refused", f'{pa}, reason="smaller"', always(0)
    yield "backup_copied_timestamp_seconds", f'{pa}, destination="offsite"', last_done(1.5)
    yield "backup_copy_max_age_seconds", f'{pa}, destination="offsite"', always(2 * 86400)
    yield "backup_restore_seconds", pa, always(300)
    yield "backup_max_restore_seconds", pa, always(3600)
    yield "backup_restore_data_age_seconds", pa, always(25200)
    yield "backup_max_restore_data_age_seconds", pa, always(86400)

    yield "docker_up", "", within(BACK, 1, 0, 1)
    yield "docker_sandboxes_left_behind", "", nightly(4.5, 5, 1, 0)
    yield "docker_cleanable_bytes", 'kind="images"', sawtooth(1e9, 1e8, 2)
    yield "docker_cleanable_max_bytes", "", always(10 * GIB)
    yield "docker_container_restarts_max", "", always(3)
    yield "docker_container_memory_warn_ratio", "", always(0.9)
    yield "docker_container_log_warn_bytes", "", always(1e8)
    for name in ("n8n", "letta"):
        one = f'container="{name}"'
        starting = within(DEPLOY if name == "n8n" else BACK, 1)
        yield "container_health", f'{one}, upkeeper_container_health="healthy"', _not(starting)
        yield "container_health", f'{one}, upkeeper_container_health="unhealthy"', starting
        yield "container_restarts", one, within(DEPLOY, 10**6, 1, 0) if name == "n8n" else always(0)
        yield "container_oom_killed", one, always(0)
        yield "container_memory_limit_bytes", one, always(2 * GIB)
        yield "container_memory_working_set_bytes", one, nightly(1, 30, 1.75 * GIB, 1.2 * GIB)
        yield "container_log_bytes", one, sawtooth(1e6, 8e5, 2)
        yield "container_log_limited", one, always(1)
    # Killed once for its memory, and noted, a day before.
    yield "container_oom_timestamp_seconds", 'container="n8n"', always(-90000)

    yield "config_findings", 'check="log-limits", severity="critical"', always(0)
    yield "config_findings", 'check="log-limits", severity="warning"', always(2)
    yield "config_findings_new", 'severity="warning"', within(DEPLOY, 5)
    yield "config_check_success", 'check="log-limits"', within(DEPLOY, 10, 0, 1)
    yield "collector_success", 'collector="docker"', within(BACK, 1, 0, 1)
    yield "collector_success", 'collector="host"', within(16 * 60, 1, 0, 1)
    yield "config_last_reload_successful", "", always(1)
    yield "web_config_last_reload_successful", "", always(1)
    yield "web_tls_not_after_timestamp_seconds", "", within(DAY, 10**6, 95 * 86400.0, 12 * 86400.0)
    yield "web_tls_renew_by_timestamp_seconds", "", within(DAY, 10**6, 65 * 86400.0, 2 * 86400.0)

    yield "host_memory_total_bytes", "", always(16 * GIB)
    yield "host_memory_available_bytes", "", nightly(1, 40, 2.2 * GIB, 6 * GIB)
    yield "host_memory_min_available_ratio", "", always(0.1)
    yield "host_pressure_ratio", 'resource="memory", kind="full", window="1m"', nightly(1, 1, 0.12, 0.0)
    yield "host_memory_max_pressure_ratio", "", always(0.1)
    yield "host_load", 'period="15m"', nightly(1, 45, 7.5, 0.7)
    yield "host_cpus", "", always(4)
    yield "host_max_load_per_cpu", "", always(2)
    yield "host_clock_offset_seconds", "", lambda minute: 0.001 if minute // 120 % 2 else -0.002
    yield "host_clock_max_offset_seconds", "", always(0.05)
    yield "host_clock_synchronized", "", within(BACK, 1, 0, 1)
    yield "host_systemd_failed_units", "", within(BACK, 1)
    cpu = 'chip="coretemp", device="coretemp.0", sensor="Package id 0"'
    yield "host_temperature_celsius", cpu, nightly(1, 45, 88, 55)
    yield "host_temperature_critical_celsius", cpu, always(100)
    updates = within(12 * 60, 2 * DAY, 3, 0)
    yield "host_security_updates_pending", 'manager="apt"', updates
    yield "host_security_updates_max_pending_seconds", "", always(7 * 86400)
    yield "host_reboot_required", "", within(13 * 60, REBOOT - 13 * 60)
    yield "host_reboot_max_pending_seconds", "", always(7 * 86400)
    yield "host_package_manager_up", 'manager="apt"', within(6 * 60, 20, 0, 1)
    yield "host_package_lists_refreshed_timestamp_seconds", 'manager="apt"', last_done(6)
    yield "host_package_lists_max_age_seconds", "", always(14 * 86400)

    for target in ("n8n", "letta"):
        mishap = DEPLOY if target == "n8n" else BACK
        yield "probe_success", f'target="{target}", probe="live"', within(mishap, 1, 0, 1)
    web = 'target="web", probe="live"'
    yield "probe_tls_not_after_timestamp_seconds", web, within(DAY, 10**6, 95 * 86400.0, 16 * 86400.0)
    yield "probe_tls_min_validity_seconds", web, always(14 * 86400)

    server = 'server="supabase"'
    table = f'{server}, datname="postgres", relname="messages"'
    yield "postgres_up", server, within(BACK, 1, 0, 1)
    yield "postgres_connections", f'{server}, state="active"', nightly(1, 30, 30, 5)
    yield "postgres_connections", f'{server}, state="idle"', always(40)
    yield "postgres_max_connections", server, always(100)
    yield "postgres_reserved_connections", server, always(3)
    yield "postgres_connections_max_used_ratio", server, always(0.8)
    dump = f'{server}, datname="postgres"'
    yield "postgres_oldest_transaction_start_timestamp_seconds", dump, _while_dumped
    yield "postgres_transaction_max_age_seconds", server, always(3600)
    yield "postgres_table_dead_tuples", table, sawtooth(1000, 6000, 2)
    yield "postgres_table_live_tuples", table, always(1e6)
    yield "postgres_table_max_dead_ratio", server, always(0.2)
    yield "postgres_table_min_dead_tuples", server, always(10000)
    yield "postgres_xid_age_transactions", dump, grows(5e4, 4e7)
    yield "postgres_xid_age_max_transactions", server, always(5e8)
    yield "postgres_multixact_age", dump, grows(100, 1000)
    yield "postgres_multixact_age_max", server, always(5e8)
    slot = f'{server}, slot="replica"'
    yield "postgres_slot_retained_bytes", slot, nightly(1, 60, 2e9, 1e7)
    yield "postgres_slot_max_retained_bytes", server, always(1e10)
    yield "postgres_slot_wal_status", f'{slot}, upkeeper_postgres_slot_wal_status="lost"', always(0)
    yield "postgres_archive_waiting_since_timestamp_seconds", server, last_done(1)
    yield "postgres_archive_max_wait_seconds", server, always(2 * 86400)
    yield "postgres_wal_receivers", server, always(0)
    yield "postgres_in_recovery", server, always(0)
    yield "postgres_collation_mismatches", f'{server}, datname="postgres"', always(0)
    yield "postgres_index_invalid", f'{table}, index="messages_new"', nightly(2, 20, 1, 0)
    yield "postgres_tables_without_statistics", dump, within(DEPLOY, 30)
    yield "postgres_extension_updates_pending", dump, always(0)

    graph, index = 'server="graph"', 'server="graph", database="neo4j", index="embedding"'
    yield "neo4j_up", graph, within(BACK, 1, 0, 1)
    yield "neo4j_database_online", f'{graph}, database="neo4j"', within(BACK, 1, 0, 1)
    yield "neo4j_database_requested_online", f'{graph}, database="neo4j"', always(1)
    yield "neo4j_index_state", f'{index}, upkeeper_neo4j_index_state="failed"', always(0)
    yield "neo4j_index_state", f'{index}, upkeeper_neo4j_index_state="populating"', within(DEPLOY, 20)
    yield "neo4j_index_state_since_timestamp_seconds", index, always(60.0 * DEPLOY)
    yield "neo4j_index_population_max_seconds", graph, always(3600)
    yield "sqlite_up", 'database="n8n"', within(DEPLOY, 1, 0, 1)
    yield "sqlite_reclaimable_bytes", 'database="n8n"', grows(5e5, 1e7)
    yield "sqlite_max_reclaimable_bytes", 'database="n8n"', always(256 * 2**20)


def _remediator() -> Iterator[tuple[str, str, At]]:
    yield "reconcile_missed_total", 'kind="firing"', grows(0.2, restarts=True)
    yield "watchdog_lost", "", always(0)
    yield "rollouts", 'state="stopped"', always(0)
    yield "paused_since_timestamp_seconds", "", within(18 * 60, 180, 18 * 3600, 0)
    yield "silence_held_since_timestamp_seconds", 'purpose="page"', within(DEPLOY, 5, DEPLOY * 60, 0)
    yield "audit_broken", "", always(0)
    yield "audit_records", "", grows(40, 1000)
    yield "audit_verified_timestamp_seconds", "", last_done(2)
    yield "state_restored_timestamp_seconds", "", always(0)
    yield "forecast_full_timestamp_seconds", 'sink="filesystem:/"', ahead(70)
    yield "forecast_used_ratio", 'sink="filesystem:/"', always(0.7)
    yield "forecast_error_ratio", 'sink="filesystem:/"', always(0.01)
    yield "forecast_warn_seconds", "", always(14 * 86400)
    yield "forecast_min_used_ratio", "", always(0.6)
    n8n, looked = 'target="pa.n8n"', last_done(4.5)
    silent = within(DAY + 270, DAY)  # of one night's look: the registry was away
    yield "image_check_success", n8n, _not(silent)
    yield "image_checked_timestamp_seconds", n8n, lambda minute: looked(minute) - 86400.0 * silent(minute)
    yield "image_last_check_timestamp_seconds", "", looked
    yield "image_check_max_age_seconds", "", always(3 * 86400)
    yield "image_update_pending_since_timestamp_seconds", n8n, always(270 * 60)
    yield "image_update_max_pending_seconds", "", always(30 * 86400)
    yield "image_update_last_result_timestamp_seconds", f'{n8n}, result="updated"', always(60.0 * DEPLOY)
    yield "state_journal_since_timestamp_seconds", "", always(0)
    yield "telling_up", 'way="email"', within(DAY + 150, 3, 0, 1)  # the mail server is updated
    yield "breaker_open", 'task="log-rotation", target="pa"', always(0)
    yield "approvals_pending", 'remedy="shrink-sqlite"', always(0)
    for what in ("bytes", "inodes"):
        yield f"ballast_{what}", "", within(BACK, 5, 0, 64)
        yield f"ballast_wanted_{what}", "", always(64)
    yield "schedule_overdue", 'job_name="backup"', always(0)
    yield "task_last_action_timestamp_seconds", 'task="log-rotation", target="pa"', last_done(2)


def _not(state: At) -> At:
    return lambda minute: 1 - state(minute)


def _while_dumped(minute: int) -> float:
    """A transaction of each night's dump, else one that has just begun."""
    return minute // DAY * 86400.0 + 3600 if 60 <= minute % DAY < 90 else 60.0 * (minute // 10 * 10)


def series() -> Mapping[str, At]:
    """All of the stack's series, by how they are written."""
    found = {f"upkeeper_{name}{{{_joined(labels, EXPORTER)}}}": at for name, labels, at in _exporter()}
    found |= {f"upkeeper_{name}{{{_joined(labels, REMEDIATOR)}}}": at for name, labels, at in _remediator()}
    return found | {f"up{{{labels}}}": always(1) for labels in (EXPORTER, REMEDIATOR)}


def _joined(*labels: str) -> str:
    return ", ".join(part for part in labels if part)


def values(at: At, minutes: int, step: int) -> str:
    """In promtool's notation, a sample each so many minutes; ``_`` is none."""
    moments = range(0, minutes + 1, step)
    written = ("_" if REBOOT <= minute < BACK else repr(float(at(minute))) for minute in moments)
    return " ".join(_times(value, len(list(run))) for value, run in groupby(written))


def _times(value: str, count: int) -> str:
    if value == "_":
        return f"_x{count}"
    return value if count == 1 else f"{value}x{count - 1}"
