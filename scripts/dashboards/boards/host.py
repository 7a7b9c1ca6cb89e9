"""One host: CPU, memory, pressure, disks, log directories, updates, clock and temperatures."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.boards import disks, updates
from scripts.dashboards.looks import ANY_IS_BAD, ANY_IS_ODD, OVER_LIMIT, YES_IS_GOOD, YES_IS_ODD, Json
from scripts.dashboards.panels import Query, coded, gauges, series, stat, states

DURING = "[$__rate_interval]"
AVAILABLE, TOTAL = "upkeeper_host_memory_available_bytes", "upkeeper_host_memory_total_bytes"
LEAST = "upkeeper_host_memory_min_available_ratio"
SYSTEM = (
    ("running", "green"),
    ("initializing", "light-blue"),
    ("starting", "blue"),
    ("stopping", "purple"),
    ("maintenance", "orange"),
    ("degraded", "red"),
)


def board() -> Board:
    """Of the host on which one exporter runs."""
    rows = (
        Row("Now", _now()),
        Row("CPU", _cpu()),
        Row("Memory", _memory()),
        Row("Pressure", _pressure()),
        *disks.rows(),
        updates.row(),
        Row("System, clock and temperature", _system()),
    )
    about = "The machine itself. Where the kernel does not tell something, as in some containers, its panel is empty."
    return Board("upkeeper-host", "Upkeeper host", about, rows, (exporter(),))


def _now() -> list[Json]:
    load = 'upkeeper_host_load{period="15m"} / on (instance) upkeeper_host_cpus'
    return [
        stat(
            "Load, of the limit",
            f"max({load} / on (instance) upkeeper_host_max_load_per_cpu)",
            "percentunit",
            "Load of 15 minutes for each CPU, beside max_load_per_cpu.",
            OVER_LIMIT,
        ),
        stat(
            "Memory, of the limit",
            f"max((1 - {AVAILABLE} / {TOTAL}) / on (instance) (1 - {LEAST}))",
            "percentunit",
            "In use, beside what memory_min_available_ratio leaves.",
            OVER_LIMIT,
        ),
        stat("Failed units", "sum(upkeeper_host_systemd_failed_units)", steps=ANY_IS_BAD),
        stat("Security updates", "sum(upkeeper_host_security_updates_pending)", steps=ANY_IS_ODD),
        stat("Reboot needed", "max(upkeeper_host_reboot_required)", mappings=YES_IS_ODD),
        stat("Up for", "max(time() - upkeeper_host_boot_timestamp_seconds)", "s"),
    ]


def _cpu() -> list[Json]:
    return [
        series(
            "Load",
            Query("max by (period) (upkeeper_host_load)", "{{period}}"),
            Query("min(upkeeper_host_max_load_per_cpu * on (instance) upkeeper_host_cpus)", "limit of 15m", limit=True),
            about="Threads that run, want to run or wait for a disk.",
        ),
        series(
            "CPU by mode",
            Query(
                f'sum by (mode) (rate(upkeeper_host_cpu_seconds_total{{mode!="idle"}}{DURING}))'
                " / on () group_left () max(upkeeper_host_cpus)",
                "{{mode}}",
            ),
            unit="percentunit",
            about="Part of the time of all CPUs; what is missing to 100 % was idle.",
            style="stacked",
            min=0,
            max=1,
        ),
        series(
            "Processes",
            Query("max(upkeeper_host_processes)", "processes"),
            Query("max(upkeeper_host_threads)", "threads"),
            Query("max(upkeeper_host_processes_running)", "running"),
            Query("max(upkeeper_host_processes_blocked)", "waiting for a disk"),
        ),
    ]


def _memory() -> list[Json]:
    return [
        series(
            "Memory available",
            Query(f"min({AVAILABLE})", "available"),
            Query(f"max({TOTAL})", "total"),
            Query(f"max({TOTAL} * on (instance) {LEAST})", "at least", limit=True),
            unit="bytes",
            about="What programs could get without swapping.",
            min=0,
        ),
        series(
            "Swap in use",
            Query("max(upkeeper_host_swap_total_bytes - upkeeper_host_swap_free_bytes)", "used"),
            Query("max(upkeeper_host_swap_total_bytes)", "total"),
            unit="bytes",
            min=0,
        ),
        series(
            "Swapping",
            Query(f"sum(rate(upkeeper_host_swap_in_bytes_total{DURING}))", "read back"),
            Query(f"sum(rate(upkeeper_host_swap_out_bytes_total{DURING}))", "written out", mirrored=True),
            unit="Bps",
            about="Written out is drawn below zero.",
        ),
        series(
            "OOM kills",
            Query(f"sum(increase(upkeeper_host_oom_kills_total{DURING}))", "processes"),
            about="Processes that the kernel ended for want of memory.",
            style="bars",
            width=12,
        ),
        series(
            "Open files, of what the kernel allows",
            Query("max(upkeeper_host_open_files / upkeeper_host_max_open_files)", "open"),
            unit="percentunit",
            width=12,
            min=0,
            max=1,
        ),
    ]


def _pressure() -> list[Json]:
    stalled, ratio = "upkeeper_host_pressure_stalled_seconds_total", "upkeeper_host_pressure_ratio"
    return [
        series(
            "Some programs waited",
            Query(f'sum by (resource) (rate({stalled}{{kind="some"}}{DURING}))', "{{resource}}"),
            unit="percentunit",
            about="Part of the time in which at least one program waited for the resource.",
        ),
        series(
            "All programs waited",
            Query(f'sum by (resource) (rate({stalled}{{kind="full"}}{DURING}))', "{{resource}}"),
            unit="percentunit",
            about="Part of the time in which no program could go on for want of the resource.",
        ),
        series(
            "All waited for memory",
            Query(f'max by (window) ({ratio}{{resource="memory", kind="full"}})', "{{window}}"),
            Query("min(upkeeper_host_memory_max_pressure_ratio)", "limit of 1m", limit=True),
            unit="percentunit",
            about="As the kernel averages it, beside memory_max_pressure_ratio.",
        ),
    ]


def _system() -> list[Json]:
    state, texts = coded("upkeeper_host_systemd_state", SYSTEM, "instance")
    critical = "upkeeper_host_temperature_critical_celsius"
    return [
        states("systemd", Query(state, "system"), texts, width=8),
        series("Failed units", Query("max(upkeeper_host_systemd_failed_units)", "failed"), min=0),
        states(
            "Clock synchronized",
            Query("min(upkeeper_host_clock_synchronized)", "clock"),
            YES_IS_GOOD,
            "Whether something keeps the kernel's clock right.",
            width=8,
        ),
        series(
            "Clock",
            Query("max(abs(upkeeper_host_clock_offset_seconds))", "still to correct"),
            Query("max(upkeeper_host_clock_max_error_seconds)", "off at most"),
            Query("min(upkeeper_host_clock_max_offset_seconds)", "limit", limit=True),
            unit="s",
            about="The limit is for what is still to correct, which is 0 where chrony steers the clock.",
            min=0,
        ),
        series(
            "Temperatures",
            Query("max by (device, sensor) (upkeeper_host_temperature_celsius)", "{{device}} {{sensor}}"),
            unit="celsius",
        ),
        gauges(
            "Temperatures, of what is critical",
            Query(f"max by (device, sensor) (upkeeper_host_temperature_celsius / {critical})", "{{device}} {{sensor}}"),
            about="By the sensor's own account; sensors that do not say are missing.",
            width=8,
        ),
    ]
