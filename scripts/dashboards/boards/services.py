"""Probes of services: whether they succeed, where the time goes, and how long the certificates last."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.looks import ANY_IS_BAD, BELOW_LIMIT, SUCCESS, UP, Json
from scripts.dashboards.panels import Column, Query, series, stat, states, table
from scripts.dashboards.scope import Variable

LEFT = "(upkeeper_probe_tls_not_after_timestamp_seconds - time())"
LIMIT = "upkeeper_probe_tls_min_validity_seconds"
PROBE = {"target": "Service", "probe": "Probe"}


def board() -> Board:
    """Of the services that one exporter probes."""
    rows = (Row("Now", _now()), Row("Probes", _probes()), Row("Certificates", _certificates()), Row("Time", _time()))
    variables = (exporter(), Variable("target", "Service", "upkeeper_probe_success", "target"))
    return Board("upkeeper-services", "Upkeeper services", "Probes of the services.", rows, variables)


def _now() -> list[Json]:
    return [
        stat("Probes", "count(upkeeper_probe_success)"),
        stat("Probes failing", "count(upkeeper_probe_success == 0) or vector(0)", steps=ANY_IS_BAD),
        stat(
            "Succeeded",
            "avg(avg_over_time(upkeeper_probe_success[$__range]))",
            "percentunit",
            "Part of all probes in the time that is shown.",
        ),
        stat("Slowest probe", "max(upkeeper_probe_duration_seconds)", "s"),
        stat(
            "Certificates to renew",
            f"count({LEFT} < {LIMIT}) or vector(0)",
            about="Valid for less than tls_min_validity.",
            steps=ANY_IS_BAD,
        ),
        stat("Next certificate expires in", f"min({LEFT})", "s"),
    ]


def _probes() -> list[Json]:
    return [
        states("Success", Query("min by (target, probe) (upkeeper_probe_success)", "{{target}} {{probe}}"), UP),
        table(
            "Last answers",
            PROBE,
            Column("Probe was", "upkeeper_probe_success", mappings=SUCCESS),
            Column("HTTP status", "upkeeper_probe_http_status_code", "none"),
            Column("Took", "upkeeper_probe_duration_seconds", "s"),
            about="The status is empty without an HTTP answer. Which one is wanted, the config says.",
        ),
    ]


def _certificates() -> list[Json]:
    return [
        series(
            "Certificates expire in",
            Query(f"min by (target) {LEFT}", "{{target}}"),
            Query(f"max by (target) ({LIMIT})", "{{target}} limit", limit=True),
            unit="s",
            about="The first certificate of the chain to expire, and for how long it should still be valid.",
            width=12,
        ),
        table(
            "Certificates",
            PROBE,
            Column("Expires", "upkeeper_probe_tls_not_after_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Valid for", LEFT, "s"),
            Column("Limit", LIMIT, "s"),
            Column("Until the limit", f"{LEFT} - on (instance, target, probe) {LIMIT}", "s", steps=BELOW_LIMIT),
            about="Red: should have been renewed.",
        ),
    ]


def _time() -> list[Json]:
    phases = "avg by (phase) (upkeeper_probe_phase_duration_seconds)"
    return [
        series(
            "Duration of whole probes",
            Query("max by (target, probe) (upkeeper_probe_duration_seconds)", "{{target}} {{probe}}"),
            unit="s",
            width=24,
        ),
        series(
            "Phases of $target",
            Query(phases, "{{phase}}"),
            unit="s",
            about="Averaged over the probes of the service. A phase to which a probe did not come has no value.",
            style="stacked",
            repeat="target",
        ),
    ]
