"""All exporters at a glance: what is over its limit, and what was done about it."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.looks import ANY_IS_BAD, ANY_IS_ODD, UP, Json
from scripts.dashboards.panels import Query, gauges, series, stat, states

HERE = 'instance=~"$instance"'
RUNS = "upkeeper_task_runs_total"
HEALTH = "upkeeper_container_health"


def board() -> Board:
    """Shows several exporters at once, so that its queries say themselves what they pick."""
    rows = (
        Row("Now", _now()),
        Row("Services and containers", _services()),
        Row("Space", _space()),
        Row("Remediation", _remediation()),
        Row("The exporter itself", _exporter()),
    )
    about = "What Upkeeper watches, what is over its limit, and what was done about it."
    return Board("upkeeper-overview", "Upkeeper overview", about, rows, (exporter(several=True),), verbatim=True)


def _now() -> list[Json]:
    return [*_acting(), *_running(), *_kept()]


def _acting() -> list[Json]:
    """What is wrong, and whether what was done about it helped."""
    effective = f'sum(increase({RUNS}{{outcome="effective"}}[7d]))'
    acted = f'sum(increase({RUNS}{{outcome=~"effective|ineffective|failed"}}[7d]))'
    waits = "sum(upkeeper_approvals_pending) or vector(0)"
    return [
        stat(
            "Alerts firing",
            'count(ALERTS{alertname=~"Upkeeper.+", alertstate="firing"}) or vector(0)',
            about="Alerts of Upkeeper's own rules.",
            steps=ANY_IS_BAD,
        ),
        stat(
            "Breakers open",
            "sum(upkeeper_breaker_open) or vector(0)",
            about="Tasks that have stopped trying on a target: a person should look.",
            steps=ANY_IS_BAD,
            link="upkeeper-remediation",
        ),
        stat(
            "Wait for approval",
            waits,
            about="Plans of which nothing is done before a person has approved them.",
            steps=ANY_IS_ODD,
            link="upkeeper-remediation",
        ),
        stat(
            "Runs that helped, 7 days",
            f"{effective} / {acted}",
            "percentunit",
            about="Effective runs among those that did something.",
            steps=(("red", None), ("orange", 0.5), ("green", 0.9)),
            link="upkeeper-remediation",
        ),
    ]


def _running() -> list[Json]:
    """What does not run or answer."""
    return [
        stat(
            "Services down",
            f"count(min by (instance, target) (upkeeper_probe_success{{{HERE}}}) == 0) or vector(0)",
            about="Services with at least one failing probe.",
            steps=ANY_IS_BAD,
            link="upkeeper-services",
        ),
        stat(
            "Unhealthy containers",
            f'sum({HEALTH}{{{HERE}, {HEALTH}="unhealthy"}}) or vector(0)',
            about="By the health check of their image.",
            steps=ANY_IS_BAD,
            link="upkeeper-containers",
        ),
        stat(
            "Docker engines silent",
            f"count(upkeeper_docker_up{{{HERE}}} == 0) or vector(0)",
            about="Engines that do not answer; a machine without Docker counts too.",
            steps=ANY_IS_ODD,
            link="upkeeper-containers",
        ),
        stat(
            "Databases down",
            f"count(upkeeper_postgres_up{{{HERE}}} == 0 or upkeeper_neo4j_up{{{HERE}}} == 0) or vector(0)",
            about="Servers of PostgreSQL and Neo4j that do not answer.",
            steps=ANY_IS_BAD,
            link="upkeeper-databases",
        ),
        stat(
            "Failed units",
            f"sum(upkeeper_host_systemd_failed_units{{{HERE}}}) or vector(0)",
            about="Units of systemd that have failed, on all hosts.",
            steps=ANY_IS_BAD,
            link="upkeeper-host",
        ),
    ]


def _kept() -> list[Json]:
    """What was left undone."""
    return [
        stat(
            "Backups overdue",
            f"count(time() - upkeeper_backup_last_success_timestamp_seconds{{{HERE}}}"
            f" > on (instance, backup) upkeeper_backup_max_age_seconds{{{HERE}}}"
            f" or upkeeper_backup_sets{{{HERE}}} == 0) or vector(0)",
            about="Backups whose newest complete set is older than max_age, or that have none.",
            steps=ANY_IS_BAD,
            link="upkeeper-backups",
        ),
        stat(
            "Backups unreadable",
            f"count(upkeeper_backup_up{{{HERE}}} == 0) or vector(0)",
            about="Backups whose directory or repository could not be read: nobody knows whether they are overdue.",
            steps=ANY_IS_ODD,
            link="upkeeper-backups",
        ),
        stat(
            "Security updates",
            f"sum(upkeeper_host_security_updates_pending{{{HERE}}}) or vector(0)",
            about="Packages of all hosts of which a newer version fixes a security problem.",
            steps=ANY_IS_ODD,
            link="upkeeper-host",
        ),
        stat(
            "Critical findings",
            f'sum(upkeeper_config_findings{{{HERE}, severity="critical"}}) or vector(0)',
            about="Critical mistakes in the configuration.",
            steps=ANY_IS_BAD,
            link="upkeeper-configuration",
        ),
    ]


def _services() -> list[Json]:
    checked = f'{HEALTH}{{{HERE}, {HEALTH}="unhealthy"}} and on (instance, container) {HEALTH}{{{HEALTH}="none"}} == 0'
    return [
        states(
            "Probes",
            Query(f"min by (target) (upkeeper_probe_success{{{HERE}}})", "{{target}}"),
            UP,
            "All probes of a service succeed, or not.",
        ),
        series(
            "Probe duration",
            Query(f"max by (target, probe) (upkeeper_probe_duration_seconds{{{HERE}}})", "{{target}} {{probe}}"),
            unit="s",
            width=12,
        ),
        states(
            "Containers with a health check",
            Query(f"1 - max by (container) ({checked})", "{{container}}"),
            {0: ("unhealthy", "red"), 1: ("not unhealthy", "green")},
            "Unhealthy, or not.",
        ),
        series(
            "Container restarts",
            Query(f"topk(10, increase(upkeeper_container_restarts{{{HERE}}}[1h]) > 0)", "{{container}}"),
            about="Restarts by Docker itself in the hour before.",
            width=12,
            style="bars",
        ),
    ]


def _space() -> list[Json]:
    avail, size = "upkeeper_filesystem_avail_bytes", "upkeeper_filesystem_size_bytes"
    used = "upkeeper_log_allocated_bytes"
    return [
        series(
            "File systems",
            Query(f"1 - {avail}{{{HERE}}} / {size}{{{HERE}}}", "{{instance}} {{mountpoint}}"),
            Query(f"min(upkeeper_filesystem_warn_used_ratio{{{HERE}}})", "warning", limit=True, colour="orange"),
            Query(f"min(upkeeper_filesystem_critical_used_ratio{{{HERE}}})", "critical", limit=True),
            unit="percentunit",
            about="Used, with the lowest of the limits.",
            width=12,
            min=0,
            max=1,
        ),
        gauges(
            "Log directories, of their limit",
            Query(f"{used}{{{HERE}}} / on (instance, directory) upkeeper_log_max_bytes{{{HERE}}}", "{{directory}}"),
        ),
        series("Log directories", Query(f"{used}{{{HERE}}}", "{{directory}}"), unit="bytes"),
        series(
            "Docker space by kind",
            Query(f"sum by (kind) (upkeeper_docker_usage_bytes{{{HERE}}})", "{{kind}}"),
            unit="bytes",
            style="stacked",
        ),
        series(
            "Docker space that can be freed",
            Query(f"sum by (instance) (upkeeper_docker_cleanable_bytes{{{HERE}}})", "{{instance}}"),
            Query(f"min(upkeeper_docker_cleanable_max_bytes{{{HERE}}})", "limit", limit=True),
            unit="bytes",
            about="What docker-cleanup may remove by its own rules.",
        ),
    ]


def _remediation() -> list[Json]:
    during = "[$__rate_interval]"
    buckets = "sum by (le, task) (rate(upkeeper_task_duration_seconds_bucket[1h]))"
    return [
        series("Runs by outcome", Query(f"sum by (outcome) (increase({RUNS}{during}))", "{{outcome}}"), style="bars"),
        series(
            "Freed",
            Query(f"sum by (task) (increase(upkeeper_task_reclaimed_bytes_total{during}))", "{{task}}"),
            unit="bytes",
            about="Bytes that actions measurably freed.",
            style="bars",
        ),
        series(
            "Decisions",
            Query(f"sum by (verdict, guard) (increase(upkeeper_decisions_total{during}))", "{{verdict}} {{guard}}"),
            about="What was made of alerts, and the guard that blocked.",
            style="bars",
        ),
        series("Duration of runs, 95 %", Query(f"histogram_quantile(0.95, {buckets})", "{{task}}"), unit="s"),
        series("Queue", Query("upkeeper_queue_depth", "{{instance}}"), about="Runs that wait or are under way."),
        series(
            "Webhook calls refused",
            Query(f"sum by (reason) (increase(upkeeper_webhook_rejected_total{during})) > 0", "{{reason}}"),
            style="bars",
        ),
    ]


def _exporter() -> list[Json]:
    return [
        states("Collectors", Query(f"upkeeper_collector_success{{{HERE}}}", "{{instance}} {{collector}}"), UP),
        series(
            "Duration of collections",
            Query(f"upkeeper_collector_duration_seconds{{{HERE}}}", "{{collector}}"),
            unit="s",
            width=12,
        ),
    ]
