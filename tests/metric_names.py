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
    | _names("upkeeper_collector", "success duration_seconds last_success_timestamp_seconds")
    | _names("upkeeper_config", "findings findings_ignored check_success")
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
