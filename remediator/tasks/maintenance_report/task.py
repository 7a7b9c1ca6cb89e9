"""maintenance-report: makes the report, keeps it with its run, and tells whom the config names."""

import time
from collections.abc import Callable, Sequence

from pydantic import Field

from exporter.base.units import format_duration
from exporter.configfile.quantities import Duration
from remediator.config.config import Config
from remediator.model.artefact import Made
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.reporting import html, markdown
from remediator.reporting.deliver import NotDelivered, in_short, message, post, send_mail
from remediator.reporting.documents import MEDIA_TYPE, render
from remediator.reporting.report import Report
from remediator.tasks.maintenance_report import dpkg_log
from remediator.tasks.maintenance_report.facts import ALL, HTML, JSON, MAINTENANCE_REPORT, MARKDOWN
from remediator.tasks.maintenance_report.sources import Sources
from remediator.tasks.resources import Resources

DAY = 86400.0
FIRST, LEAST, MOST = 7 * DAY, DAY, 92 * DAY
"""The span of a report that follows no other; the shortest and the longest of one that does."""
MAIL, POST = "mail", "post"
REMEMBERED = 4
"""Reports that are kept in memory, so that what goes out is what was planned."""


class Over(Parameters):
    """since: how far back; else to the end of the last report that went out. deliver: whether it goes out to people,
    and the next one begins where it ends.
    """

    since: Duration | None = Field(default=None, gt=0, le=10 * 366 * DAY)
    deliver: bool = True


class MaintenanceReport:
    """clock: Unix seconds."""

    facts = MAINTENANCE_REPORT
    parameters = Over
    action_timeout = 90.0

    def __init__(self, config: Config, sources: Sources, clock: Callable[[], float] = time.time) -> None:
        self._notify = config.notify
        self._sources = sources
        self._clock = clock
        self._reports: dict[tuple[float, float], Report] = {}

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        return Measurement(breached=False, detail="the report is kept with its run")

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """The report, made; an action for each place that it goes to."""
        if target != ALL:
            raise TaskError(f"{self.facts.name} has one target, {ALL}")
        over = Over.model_validate(dict(params))
        until = self._clock()
        since = await self._since(over, until)
        report = await self._report(since, until, regular=over.deliver)
        notes = [f"Over {format_duration(round(until - since))}: {html.headline(report)}."]
        notes += [f"Not known: {text}." for text in report.unknown]
        return Plan(
            actions=list(self._deliveries(since, until)) if over.deliver else [],
            notes=notes,
            made=[
                Made(name=HTML, media_type=html.MEDIA_TYPE, content=html.render(report).encode()),
                Made(name=MARKDOWN, media_type=markdown.MEDIA_TYPE, content=markdown.render(report).encode()),
                Made(name=JSON, media_type=MEDIA_TYPE, content=render(report).encode()),
            ],
        )

    async def apply(self, target: str, action: Action) -> Effect:
        """Delivers the report. A second mail of the same report has the same id, so that readers see one."""
        since, until = action.params.get("since"), action.params.get("until")
        if not isinstance(since, float | int) or not isinstance(until, float | int):
            raise TaskError(f"{self.facts.name} cannot {action.kind}")
        report = await self._report(float(since), float(until), regular=True)
        email, slack = self._notify.email, self._notify.slack
        try:
            if action.kind == MAIL and email is not None:
                mail = message(report, email, f"maintenance-report-{int(until)}.{report.host}")
                await send_mail(mail, email)
            elif action.kind == POST and slack is not None:
                await post(in_short(report, slack.channel), slack)
            else:
                return Effect(state="skipped", detail="the config no longer says so")
        except NotDelivered as error:
            raise TaskError(str(error)) from error
        return Effect(state="done", detail=html.headline(report))

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False

    def _deliveries(self, since: float, until: float) -> Sequence[Action]:
        params = {"since": since, "until": until}
        found = []
        if self._notify.email is not None and self._notify.email.reports:
            to = self._notify.email.to
            found.append(Action(kind=MAIL, object=to, reason="notify.email", params=params, identity=f"{MAIL} {to}"))
        if self._notify.slack is not None and self._notify.slack.reports:
            to = self._notify.slack.channel
            found.append(Action(kind=POST, object=to, reason="notify.slack", params=params, identity=f"{POST} {to}"))
        return found

    async def _since(self, over: Over, until: float) -> float:
        if over.since is not None:
            return until - over.since
        last = await self._sources.last_until(until)
        if last is None:
            return until - FIRST
        return min(max(last, until - MOST), until - LEAST)

    async def _report(self, since: float, until: float, *, regular: bool) -> Report:
        key = (since, until)
        if key not in self._reports:
            self._reports[key] = await self._sources.report(since, until, self._clock(), regular=regular)
            for old in list(self._reports)[:-REMEMBERED]:
                del self._reports[old]
        return self._reports[key]


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [MaintenanceReport(config, Sources(config, resources, dpkg_log.of_host()))]
