"""The metrics that Upkeeper serves, as rules and dashboards may use them."""


def _names(prefix: str, names: str) -> set[str]:
    return {f"{prefix}_{name}" for name in names.split()}


METRICS: frozenset[str] = frozenset(
    _names("upkeeper_probe", "success duration_seconds http_status_code tls_not_after_timestamp_seconds")
    | _names(
        "upkeeper_filesystem",
        "size_bytes avail_bytes files files_free readonly device_error warn_used_ratio critical_used_ratio",
    )
    | _names(
        "upkeeper_log",
        "apparent_bytes allocated_bytes max_bytes files oldest_unrotated_timestamp_seconds directory_up",
    )
    | _names("upkeeper_docker", "up usage_bytes reclaimable_bytes objects cleanable_bytes cleanable_max_bytes")
    | _names("upkeeper_container", "state health restarts")
    | _names(
        "upkeeper_host",
        "load max_load_per_cpu cpus cpu_seconds_total memory_total_bytes memory_available_bytes "
        "memory_min_available_ratio memory_max_pressure_ratio swap_total_bytes swap_free_bytes swap_in_bytes_total "
        "swap_out_bytes_total oom_kills_total pressure_ratio pressure_stalled_seconds_total processes "
        "processes_running processes_blocked threads open_files max_open_files boot_timestamp_seconds "
        "clock_offset_seconds clock_max_offset_seconds clock_max_error_seconds clock_synchronized "
        "temperature_celsius temperature_critical_celsius "
        "package_manager_up updates_pending security_updates_pending updates_held_back updates_phased "
        "package_lists_refreshed_timestamp_seconds package_lists_max_age_seconds "
        "security_updates_max_pending_seconds reboot_required reboot_max_pending_seconds "
        "systemd_state systemd_failed_units",
    )
    | _names("upkeeper_collector", "success duration_seconds last_success_timestamp_seconds")
    | _names("upkeeper_config", "last_reload_successful last_reload_success_timestamp_seconds")
    | _names(
        "upkeeper_task",
        "runs_total duration_seconds duration_seconds_bucket duration_seconds_sum duration_seconds_count "
        "last_success_timestamp_seconds reclaimed_bytes_total",
    )
    | _names(
        "upkeeper",
        "build_info remediator_build_info queue_depth breaker_open paused task_paused "
        "alerts_received_total webhook_rejected_total decisions_total",
    )
)
