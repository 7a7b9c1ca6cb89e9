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
    | _names(
        "upkeeper_neo4j",
        "up info heap_used_bytes heap_max_bytes page_cache_max_bytes page_cache_hit_ratio page_cache_usage_ratio "
        "database_online database_requested_online nodes relationships store_bytes transaction_log_bytes transactions "
        "oldest_transaction_start_timestamp_seconds indexes index_state index_state_since_timestamp_seconds "
        "index_population_ratio index_population_max_seconds index_reads_total index_last_read_timestamp_seconds "
        "index_tracked_since_timestamp_seconds",
    )
    | _names("upkeeper_container", "state health restarts")
    | _names(
        "upkeeper_postgres",
        "up info start_timestamp_seconds in_recovery connections max_connections reserved_connections "
        "connections_max_used_ratio lock_waiting_connections wal_bytes database_size_bytes xid_age_transactions "
        "xid_age_max_transactions xid_freeze_max_age_transactions multixact_age multixact_age_max "
        "multixact_freeze_max_age deadlocks_total blocks_hit_total blocks_read_total "
        "oldest_transaction_start_timestamp_seconds transaction_max_age_seconds replication_lag_bytes "
        "replication_lag_seconds slot_active slot_retained_bytes slot_max_retained_bytes wal_receivers "
        "last_replayed_transaction_timestamp_seconds replay_pending_bytes table_live_tuples table_dead_tuples "
        "table_max_dead_ratio table_min_dead_tuples table_size_bytes table_bloat_bytes_estimate "
        "last_vacuum_timestamp_seconds last_analyze_timestamp_seconds index_invalid index_unused_bytes vacuums "
        "vacuum_scanned_ratio",
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
