"""Containers and the space that Docker takes up."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.looks import ANY_IS_BAD, ANY_IS_ODD, UP, YES_IS_GOOD, Json
from scripts.dashboards.panels import Column, Query, coded, info, series, stat, states, table
from scripts.dashboards.scope import Variable

STATES = (
    ("running", "green"),
    ("paused", "blue"),
    ("created", "light-blue"),
    ("restarting", "orange"),
    ("removing", "purple"),
    ("exited", "red"),
    ("dead", "dark-red"),
)
HEALTHS = (("healthy", "green"), ("none", "light-blue"), ("starting", "yellow"), ("unhealthy", "red"))
DURING = "[$__rate_interval]"


def board() -> Board:
    """Of the Docker engine that one exporter watches."""
    rows = (
        Row("Now", _now()),
        Row("State", _state()),
        Row("CPU and memory", _resources()),
        Row("Network and disks", _traffic()),
        Row("Logs", _logs()),
        Row("Space of Docker", _space()),
    )
    variables = (exporter(), Variable("container", "Container", "upkeeper_container_restarts", "container"))
    return Board("upkeeper-containers", "Upkeeper containers", "Containers of a Docker engine.", rows, variables)


def _now() -> list[Json]:
    state, health = "upkeeper_container_state", "upkeeper_container_health"
    return [
        stat("Docker engine", "min(upkeeper_docker_up)", steps=(("red", None), ("green", 1)), mappings=UP),
        stat("Running", f'sum({state}{{{state}="running"}})'),
        stat("Restarting", f'sum({state}{{{state}="restarting"}}) or vector(0)', steps=ANY_IS_BAD),
        stat("Unhealthy", f'sum({health}{{{health}="unhealthy"}}) or vector(0)', steps=ANY_IS_BAD),
        stat(
            "Stopped for want of memory",
            "sum(upkeeper_container_oom_killed) or vector(0)",
            about="Containers that are stopped because the kernel killed a process of theirs.",
            steps=ANY_IS_BAD,
        ),
        stat(
            "Logs without a limit",
            "count(upkeeper_container_log_limited == 0) or vector(0)",
            about="Containers whose log grows until the disk is full.",
            steps=ANY_IS_ODD,
        ),
    ]


def _state() -> list[Json]:
    state, texts = coded("upkeeper_container_state", STATES, "container")
    health, healths = coded("upkeeper_container_health", HEALTHS, "container")
    labels = {"image": "Image", "compose_project": "Project", "compose_service": "Service"}
    return [
        states("State", Query(state, "{{container}}"), texts),
        states("Health", Query(health, "{{container}}"), healths, "By the container's own check; none without one."),
        series(
            "Restarts in 15 minutes",
            Query("max by (container) (increase(upkeeper_container_restarts[15m]))", "{{container}}"),
            Query("min(upkeeper_docker_container_restarts_max)", "limit", limit=True),
            about="By the restart policy. A start by hand sets the count back.",
            width=12,
        ),
        table(
            "Containers",
            {"container": "Container"},
            info("upkeeper_container_info", labels),
            Column("Started", "upkeeper_container_start_timestamp_seconds * 1000", unit="dateTimeFromNow"),
            Column("Restarts", "upkeeper_container_restarts"),
            Column("Exit code", "upkeeper_container_exit_code", steps=ANY_IS_ODD),
            Column("OOM kills", "upkeeper_container_oom_kills_total", steps=ANY_IS_ODD),
            about="The image as it was asked for. OOM kills: processes killed for want of memory, over all restarts.",
        ),
    ]


def _resources() -> list[Json]:
    used, limit = "upkeeper_container_memory_working_set_bytes", "upkeeper_container_memory_limit_bytes"
    return [
        series(
            "CPUs in use",
            Query(f"sum by (container) (rate(upkeeper_container_cpu_seconds_total{DURING}))", "{{container}}"),
            about="1 is one whole CPU.",
            width=12,
        ),
        series(
            "OOM kills",
            Query(f"sum by (container) (increase(upkeeper_container_oom_kills_total{DURING}))", "{{container}}"),
            about="Processes that the kernel killed for want of memory.",
            width=12,
            style="bars",
        ),
        series(
            "Memory",
            Query(f"max by (container) ({used})", "{{container}}"),
            unit="bytes",
            about="In use, without file pages unused for long.",
            width=12,
        ),
        series(
            "Memory, of the container's limit",
            Query(f"max by (container) ({used} / {limit})", "{{container}}"),
            Query("min(upkeeper_docker_container_memory_warn_ratio)", "warning", limit=True, colour="orange"),
            unit="percentunit",
            about="Only containers with a limit. At 100 % the kernel kills.",
            width=12,
            min=0,
            max=1,
        ),
    ]


def _traffic() -> list[Json]:
    def both(title: str, up: str, down: str, words: tuple[str, str], about: str) -> Json:
        return series(
            title,
            Query(f"sum by (container) (rate({up}{DURING}))", f"{{{{container}}}} {words[0]}"),
            Query(f"sum by (container) (rate({down}{DURING}))", f"{{{{container}}}} {words[1]}", mirrored=True),
            unit="Bps",
            about=about,
            width=12,
        )

    return [
        both(
            "Network",
            "upkeeper_container_network_receive_bytes_total",
            "upkeeper_container_network_transmit_bytes_total",
            ("received", "sent"),
            "Sent is drawn below zero. A container in the network of the host has no figures of its own.",
        ),
        both(
            "Block devices",
            "upkeeper_container_blkio_read_bytes_total",
            "upkeeper_container_blkio_write_bytes_total",
            ("read", "written"),
            "Written is drawn below zero. What the page cache serves is not in it.",
        ),
    ]


def _logs() -> list[Json]:
    size, most = "upkeeper_container_log_bytes", "upkeeper_container_log_max_bytes"
    return [
        series(
            "Logs",
            Query(f"max by (container) ({size})", "{{container}}"),
            Query("min(upkeeper_docker_container_log_warn_bytes)", "too much without a limit", limit=True),
            unit="bytes",
            about="Rotated files included.",
            width=12,
        ),
        table(
            "Logs now",
            {"container": "Container"},
            Column("Size", size, "bytes"),
            Column("May grow to", most, "bytes"),
            Column("Of that", f"{size} / {most}", "percentunit"),
            Column("Has a limit", "upkeeper_container_log_limited", mappings=YES_IS_GOOD),
            about="At its limit the engine drops the oldest lines; that is as it should be.",
        ),
    ]


def _space() -> list[Json]:
    def by_kind(title: str, metric: str, about: str, unit: str = "bytes", style: str = "stacked") -> Json:
        query = Query(f"sum by (kind) ({metric})", "{{kind}}")
        return series(title, query, unit=unit, about=about, style=style, width=6)

    return [
        by_kind("In use", "upkeeper_docker_usage_bytes", ""),
        by_kind("Unused", "upkeeper_docker_reclaimable_bytes", "What removing all unused objects would free."),
        series(
            "Can be freed by docker-cleanup",
            Query("sum by (kind) (upkeeper_docker_cleanable_bytes)", "{{kind}}"),
            Query("min(upkeeper_docker_cleanable_max_bytes)", "limit", limit=True),
            unit="bytes",
            about="Old enough, unused, not kept by a label. The limit is for the sum.",
            style="stacked",
            width=6,
        ),
        by_kind("Objects", "upkeeper_docker_objects", "Unused ones included.", "short", "lines"),
    ]
