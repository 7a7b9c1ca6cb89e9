"""What Upkeeper does by itself, what holds it back, what waits for a person, and whether its record can be trusted."""

from scripts.dashboards.board import Board, Row
from scripts.dashboards.looks import ANY_IS_BAD, ANY_IS_ODD, YES_IS_BAD, YES_IS_GOOD, YES_IS_ODD, Json
from scripts.dashboards.panels import Column, Query, series, stat, states, table
from scripts.dashboards.scope import Variable

RUNS = "upkeeper_task_runs_total"
DURING = "[$__rate_interval]"


def board() -> Board:
    """Shows one remediator at a time."""
    rows = (
        Row("Now", _now()),
        Row("Runs", _runs()),
        Row("What holds back", _guards()),
        Row("What waits for a person", _approvals()),
        Row("Schedule", _schedule()),
        Row("Forecast", _forecast()),
        Row("Images", _images()),
        Row("Alerts", _alerts()),
        Row("Messages to people", _telling()),
        Row("Audit", _audit()),
        Row("Ballast", _ballast()),
    )
    about = "Runs, guards, approvals, the schedule, the audit and the ballast of one remediator."
    remediator = Variable("instance", "Remediator", "upkeeper_remediator_build_info", "instance", several=False)
    return Board("upkeeper-remediation", "Upkeeper remediation", about, rows, (remediator,))


def _now() -> list[Json]:
    return [
        stat("Wait for approval", "sum(upkeeper_approvals_pending)", steps=ANY_IS_ODD,
             about="Plans of which nothing is done before a person has approved them: upkeeper approvals."),
        stat("Jobs overdue", "sum(upkeeper_schedule_overdue)", steps=ANY_IS_BAD,
             about="Jobs that are not done although their time and their grace have passed."),
        stat("Breakers open", "sum(upkeeper_breaker_open) or vector(0)", steps=ANY_IS_BAD,
             about="Tasks that have stopped trying on a target: a person should look."),
        stat("Paused", "max(upkeeper_paused)", mappings=YES_IS_ODD,
             about="Nothing runs by itself until it is resumed."),
        stat("Watchdog lost", "max(upkeeper_watchdog_lost)", mappings=YES_IS_BAD,
             about="The alert that always fires has not come: others may be missing too, so nothing runs by itself."),
        stat("Audit broken", "max(upkeeper_audit_broken)", mappings=YES_IS_BAD,
             about="The chain of records was changed or shortened by something else: upkeeper audit verify."),
    ]  # fmt: skip


def _forecast() -> list[Json]:
    left = "upkeeper_forecast_full_timestamp_seconds - time()"
    soon = (("red", None), ("orange", 3 * 86400), ("green", 14 * 86400))
    return [
        series(
            "Full in",
            Query(f"max by (sink) ({left})", "{{sink}}"),
            Query("min(upkeeper_forecast_warn_seconds)", "warning", limit=True, colour="orange"),
            unit="s",
            about="By the forecast of each night. What is not foreseen to be full is missing.",
            min=0,
        ),
        series(
            "Used, of the limit",
            Query("max by (sink) (upkeeper_forecast_used_ratio)", "{{sink}}"),
            Query("min(upkeeper_forecast_min_used_ratio)", "below this no forecast warns", limit=True, colour="orange"),
            unit="percentunit",
            about="The highest of the day before each forecast.",
            min=0,
        ),
        table(
            "Forecasts",
            {"sink": "What"},
            Column("Full in", left, "s", steps=soon),
            Column("Used", "upkeeper_forecast_used_ratio", "percentunit"),
            Column("Was off by", "upkeeper_forecast_error_ratio", "percentunit"),
            about="Was off by: the median of what such forecasts of a week were off in the past, of the limit.",
        ),
        stat(
            "Last forecast",
            "max(time() - upkeeper_forecast_last_timestamp_seconds)",
            "s",
            "After three days without a new one, nothing is foretold any more.",
        ),
    ]


def _runs() -> list[Json]:
    buckets = "sum by (le, task) (rate(upkeeper_task_duration_seconds_bucket[1h]))"
    repairs = "sum by (le, remedy) (increase(upkeeper_repair_seconds_bucket[7d]))"
    good = f'sum by (task) (increase({RUNS}{{outcome="effective"}}[7d]))'
    tried = f'sum by (task) (increase({RUNS}{{outcome=~"effective|ineffective|failed"}}[7d]))'
    return [
        series("Runs by outcome", Query(f"sum by (outcome) (increase({RUNS}{DURING}))", "{{outcome}}"), style="bars"),
        series("Runs by trigger", Query(f"sum by (trigger) (increase({RUNS}{DURING}))", "{{trigger}}"), style="bars",
               about="What asked for them: an alert, the schedule, a person, or a run of which they are a part."),
        series("Freed", Query(f"sum by (task) (increase(upkeeper_task_reclaimed_bytes_total{DURING}))", "{{task}}"),
               unit="bytes", about="Bytes that actions measurably freed.", style="bars"),
        series("Duration, 95 %", Query(f"histogram_quantile(0.95, {buckets})", "{{task}}"), unit="s"),
        series("Time to repair, half of all", Query(f"histogram_quantile(0.5, {repairs})", "{{remedy}}"), unit="s",
               about="From the beginning of an alert to the end of the run that mended it, in the last week."),
        series("Queue", Query("upkeeper_queue_depth", "runs"), about="Runs that wait or are under way."),
        table(
            "Tasks",
            {"task": "Task"},
            Column("Last success", "upkeeper_task_last_success_timestamp_seconds * 1000", "dateTimeFromNow"),
            Column("Runs, 7 days", f"sum by (task) (increase({RUNS}[7d]))"),
            Column("Effective", f"{good} / {tried}", "percentunit"),
            Column("Freed, 30 days", "sum by (task) (increase(upkeeper_task_reclaimed_bytes_total[30d]))", "bytes"),
            about="Effective: of the runs that did something, or tried to.",
        ),
    ]  # fmt: skip


def _guards() -> list[Json]:
    blocked = 'upkeeper_decisions_total{verdict="blocked"}'
    return [
        series("Guards that blocked", Query(f"sum by (guard) (increase({blocked}{DURING}))", "{{guard}}"), width=12,
               about="Decisions about alerts that a guard held back.", style="bars"),
        series("Decisions", Query(f"sum by (verdict) (increase(upkeeper_decisions_total{DURING}))", "{{verdict}}"),
               width=12, about="What was made of alerts.", style="bars"),
        states("Open breakers", Query("upkeeper_breaker_open", "{{task}} on {{target}}"), YES_IS_BAD),
        states("Paused tasks", Query("upkeeper_task_paused", "{{task}}"), YES_IS_ODD),
    ]  # fmt: skip


def _approvals() -> list[Json]:
    return [
        series("Plans that wait", Query("upkeeper_approvals_pending", "{{remedy}}"), width=12,
               about="By the remedy that asks; without a name, what a person asked for."),
        table(
            "Oldest plan that waits",
            {"remedy": "Remedy"},
            Column("Waits", "upkeeper_approvals_pending > 0"),
            Column("Since", "upkeeper_approvals_oldest_timestamp_seconds * 1000", "dateTimeFromNow"),
            about="upkeeper approvals lists them, upkeeper approve ID shows the plan and asks.",
        ),
    ]  # fmt: skip


def _schedule() -> list[Json]:
    return [
        states("Overdue", Query("upkeeper_schedule_overdue", "{{job_name}}"), YES_IS_BAD),
        table(
            "Jobs",
            {"job_name": "Job"},
            Column("Next", "upkeeper_schedule_next_timestamp_seconds * 1000", "dateTimeFromNow"),
            Column("Last success", "upkeeper_schedule_last_success_timestamp_seconds * 1000", "dateTimeFromNow"),
            Column("Missed", "upkeeper_schedule_missed_total"),
        ),
    ]


def _alerts() -> list[Json]:
    received, missed = "upkeeper_alerts_received_total", "upkeeper_reconcile_missed_total"
    rejected = "upkeeper_webhook_rejected_total"
    return [
        series("Alerts received", Query(f"increase({received}{DURING})", "received"), style="bars"),
        series("Not told by a webhook", Query(f"sum by (kind) (increase({missed}{DURING}))", "{{kind}}"), style="bars",
               about="Beginnings and ends of alerts for which Alertmanager had to be asked."),
        series("Webhook calls refused", Query(f"sum by (reason) (increase({rejected}{DURING}))", "{{reason}}"),
               style="bars"),
        series("Silences held", Query("upkeeper_silences_held", "{{purpose}}"), width=12,
               about="For pages that are held back while a run is healthy, and for pauses."),
        stat("Watchdog last came", "upkeeper_watchdog_last_timestamp_seconds * 1000", "dateTimeFromNow", width=6),
        stat("Last compared with Alertmanager", "upkeeper_reconcile_last_success_timestamp_seconds * 1000",
             "dateTimeFromNow", width=6),
    ]  # fmt: skip


def _images() -> list[Json]:
    waits = "upkeeper_image_update_pending"
    since, result = f"{waits}_since_timestamp_seconds", "upkeeper_image_update_last_result_timestamp_seconds"
    return [
        series(
            "A new image waits",
            Query(f"max by (target) (time() - {since})", "{{target}}"),
            Query("min(upkeeper_image_update_max_pending_seconds)", "limit", limit=True, colour="orange"),
            unit="s",
            width=12,
            about="Since it was first seen in the registry, beside images.max_pending. Empty when none waits.",
            min=0,
        ),
        series(
            "Age of what runs",
            Query("max by (target) (time() - upkeeper_image_created_timestamp_seconds)", "{{target}}"),
            unit="s",
            width=12,
            about="Since the image of each service was built.",
            min=0,
        ),
        table(
            "Images of services",
            {"target": "Service"},
            Column("Asked with success", "upkeeper_image_check_success", mappings=YES_IS_GOOD),
            Column("Last answer", "upkeeper_image_checked_timestamp_seconds * 1000", "dateTimeFromNow"),
            Column("New image", f'{waits}{{kind="image"}}', steps=ANY_IS_ODD),
            Column("Newer versions", f'{waits}{{kind="version"}}'),
            Column("Major versions", f'{waits}{{kind="major"}}'),
            Column("Waits since", f"{since} * 1000", "dateTimeFromNow"),
            about="As the registries answered when image-check last asked them.",
        ),
        table(
            "Updates of images",
            {"target": "Service", "result": "Ended"},
            Column("When", f"{result} * 1000", "dateTimeFromNow"),
            about="The last of each service. went-back: the former image and data are in place again. asked: a person "
            "must say what is to stay. unwell: on the former image too.",
            width=16,
        ),
        stat("Registries last asked", "upkeeper_image_last_check_timestamp_seconds * 1000", "dateTimeFromNow", width=8),
    ]


def _telling() -> list[Json]:
    way = "upkeeper_telling_"
    return [
        states("Ways to people", Query(f"{way}up", "{{way}}"), YES_IS_GOOD,
               about="Whether the last message of what became of an alert went. Empty until one was sent."),
        series("Messages", Query(f"sum by (way) (increase({way}messages_total{DURING}))", "{{way}}"),
               Query(f"sum by (way) (increase({way}failures_total{DURING}))", "{{way}} failed"), style="bars",
               about="Those of what became of alerts; Alertmanager's own are not among them."),
        table(
            "Ways",
            {"way": "Way"},
            Column("Last message", f"{way}last_success_timestamp_seconds * 1000", "dateTimeFromNow"),
            Column("Fails since", f"{way}failing_since_timestamp_seconds * 1000", "dateTimeFromNow"),
            Column("Sent", f"{way}messages_total"),
            Column("Failed", f"{way}failures_total", steps=ANY_IS_ODD),
            about="Since the remediator was started. upkeeper status says why a way fails.",
        ),
    ]  # fmt: skip


def _audit() -> list[Json]:
    return [
        series("Records", Query("upkeeper_audit_records", "records"), width=12,
               about="Ever written. They only ever become more: a fall means that the state was replaced or cut off."),
        stat("Head", "upkeeper_audit_head", "none", width=6,
             about="Of the last record's hash; kept here, it proves where the chain ended: upkeeper audit verify."),
        stat("Last found whole", "upkeeper_audit_verified_timestamp_seconds * 1000", "dateTimeFromNow", width=6),
    ]  # fmt: skip


def _ballast() -> list[Json]:
    return [
        series("Disk space", Query("upkeeper_ballast_bytes", "kept"),
               Query("upkeeper_ballast_wanted_bytes", "wanted", limit=True), unit="bytes", width=12,
               about="What a full disk would get back."),
        series("Inodes", Query("upkeeper_ballast_inodes", "kept"),
               Query("upkeeper_ballast_wanted_inodes", "wanted", limit=True), width=6),
        stat("Promised by the file system", "upkeeper_ballast_reserved", width=6,
             mappings={0: ("no", "orange"), 1: ("yes", "green")},
             about="Not where it copies on write or compresses."),
    ]  # fmt: skip
