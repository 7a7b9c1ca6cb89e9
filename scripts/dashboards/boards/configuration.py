"""Findings in the configuration, and whether Upkeeper's own config and certificate are in force."""

from scripts.dashboards.board import Board, Row, exporter
from scripts.dashboards.looks import ANY_IS_BAD, ANY_IS_ODD, BELOW_LIMIT, YES_IS_GOOD, Json
from scripts.dashboards.panels import Column, Query, series, stat, states, table

FOUND, IGNORED = "upkeeper_config_findings", "upkeeper_config_findings_ignored"
RELOAD, WEB_RELOAD = "upkeeper_config_last_reload", "upkeeper_web_config_last_reload"
OWN_METRICS = (RELOAD, "upkeeper_web_")
OWN = "upkeeper_web_tls_not_after_timestamp_seconds"
DURING = "[$__rate_interval]"


def board() -> Board:
    """Of what one exporter checks; what it and the remediator say about themselves is that of all of them."""
    rows = (Row("Now", _now()), Row("Findings", _findings()), Row("Upkeeper's own config and web server", _own()))
    about = "Mistakes that the checks found. The plan of configuration-audit names each with its place and remedy."
    return Board("upkeeper-configuration", "Upkeeper configuration", about, rows, (exporter(),), own=OWN_METRICS)


def _now() -> list[Json]:
    def count(title: str, severity: str, steps: tuple[tuple[str, float | None], ...]) -> Json:
        return stat(title, f'sum({FOUND}{{severity="{severity}"}}) or vector(0)', steps=steps)

    return [
        count("Critical", "critical", tuple(ANY_IS_BAD)),
        count("Warnings", "warning", tuple(ANY_IS_ODD)),
        count("Information", "info", (("blue", None),)),
        stat("Accepted", f"sum({IGNORED}) or vector(0)", about="Findings that the config lists under ignore."),
        stat(
            "Checks that failed",
            "count(upkeeper_config_check_success == 0) or vector(0)",
            about="Checks that could not look at everything, and so may miss findings.",
            steps=ANY_IS_ODD,
        ),
        stat(
            "Configs not in force",
            f"count({RELOAD}_successful == 0 or {WEB_RELOAD}_successful == 0) or vector(0)",
            about="Changed configs of Upkeeper that could not be taken over.",
            steps=ANY_IS_BAD,
        ),
    ]


def _findings() -> list[Json]:
    return [
        series(
            "Findings by severity",
            Query(f"sum by (severity) ({FOUND})", "{{severity}}"),
            style="stacked",
            width=12,
        ),
        series("Findings by check", Query(f"sum by (check) ({FOUND})", "{{check}}"), style="stacked", width=12),
        table(
            "Checks",
            {"check": "Check"},
            Column("Complete", "upkeeper_config_check_success", mappings=YES_IS_GOOD),
            Column("Critical", f'{FOUND}{{severity="critical"}}', steps=ANY_IS_BAD),
            Column("Warnings", f'{FOUND}{{severity="warning"}}', steps=ANY_IS_ODD),
            Column("Information", f'{FOUND}{{severity="info"}}'),
            Column("New", f"sum by (check) ({FOUND}_new)", steps=ANY_IS_ODD),
            Column("Accepted", f"sum by (check) ({IGNORED})"),
            about="A cell is empty where the check has no findings of that severity to make.",
        ),
        states(
            "Checks complete",
            Query("min by (check) (upkeeper_config_check_success)", "{{check}}"),
            YES_IS_GOOD,
        ),
    ]


def _own() -> list[Json]:
    who = {"job": "Job", "instance": "Instance"}
    return [
        table(
            "Configs",
            who,
            Column("In force", f"{RELOAD}_successful", mappings=YES_IS_GOOD),
            Column("Since", f"{RELOAD}_success_timestamp_seconds * 1000", "dateTimeAsIso"),
            Column("Web config in force", f"{WEB_RELOAD}_successful", mappings=YES_IS_GOOD),
            Column("Web config since", f"{WEB_RELOAD}_success_timestamp_seconds * 1000", "dateTimeAsIso"),
            about="Of every exporter and remediator. The web config is empty without --web.config.file.",
        ),
        table(
            "Certificates that are served",
            who,
            Column("Expires", f"{OWN} * 1000", "dateTimeAsIso"),
            Column("Renew within", "upkeeper_web_tls_renew_by_timestamp_seconds - time()", "s", steps=BELOW_LIMIT),
            about="Red: more than four fifths of its life are over.",
        ),
        series(
            "Requests turned away",
            Query(f"sum by (job, reason) (increase(upkeeper_web_denied_total{DURING}))", "{{job}} {{reason}}"),
            style="bars",
            width=12,
        ),
        series(
            "TLS handshakes that failed",
            Query(f"sum by (job) (increase(upkeeper_web_tls_handshake_errors_total{DURING}))", "{{job}}"),
            style="bars",
            width=12,
        ),
    ]
