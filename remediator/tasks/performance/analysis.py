"""performance-analysis: the last hour beside the usual one, and the trend. It only looks."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import psutil
from pydantic import Field

from exporter.base.text import counted
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, TaskError
from remediator.peers.places import PeerUnknown
from remediator.peers.prometheus import Prometheus
from remediator.tasks.capacity_planning.history import Scraped, exporter_of_this_host
from remediator.tasks.performance.facts import ALL, PERFORMANCE_ANALYSIS
from remediator.tasks.performance.figures import FIGURES, LEAST_SECONDS, SINCE, Compared
from remediator.tasks.performance.rows import UsualRow
from remediator.tasks.performance.usual import HOUR, Usual, compare

DAY = 86400.0
DAYS = 35
WHOLE = 55 * 60.0
"""Seconds of the last hour with values, from which it is told as a whole one."""
LEAST_COVERED = 30 * 60.0
"""From which it is compared with whole ones."""
SAME_LOOK = 120.0
"""Seconds for which one look serves measuring and planning."""


class AnalysisParameters(Parameters):
    """How far back it looks."""

    days: int = Field(default=DAYS, ge=2, le=365)
    """Of history."""


class PerformanceAnalysis:
    """Asks Prometheus. prometheus, booted_at, clock: as of capacity-planning."""

    facts = PERFORMANCE_ANALYSIS
    parameters = AnalysisParameters
    action_timeout = 60.0

    def __init__(
        self,
        prometheus: Callable[[], AbstractAsyncContextManager[Prometheus]],
        clock: Callable[[], float] = time.time,
        booted_at: Callable[[], float] = psutil.boot_time,
    ) -> None:
        self._prometheus = prometheus
        self._clock = clock
        self._booted_at = booted_at
        self._last: tuple[float, int, Plan] | None = None

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Never breached: what is unusual need not be wrong. Values: how many figures are ``higher`` and ``lower``."""
        plan = await self._look(DAYS)
        said = [row.judgement for row in plan.rows if isinstance(row, UsualRow)]
        values = {word: float(said.count(word)) for word in ("higher", "lower")}
        if not said:
            return Measurement(breached=False, detail=plan.notes[0].rstrip(".") if plan.notes else "")
        unusual = int(values["higher"] + values["lower"])
        detail = f"{counted(len(said), 'figure')}, {unusual or 'none'} of them unusual for this hour"
        return Measurement(breached=False, values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return await self._look(AnalysisParameters.model_validate(params).days)

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False

    async def _look(self, days: int) -> Plan:
        now = self._clock()
        if self._last is not None and self._last[1] == days and 0 <= now - self._last[0] <= SAME_LOOK:
            return self._last[2]
        plan = await self._ask(days, now)
        self._last = now, days, plan
        return plan

    async def _ask(self, days: int, now: float) -> Plan:
        """Raises PeerError, and TaskError."""
        try:
            opened = self._prometheus()
        except PeerUnknown as error:
            return Plan(notes=[f"Nothing is known of the usual without a history: {error}."])
        rows: list[UsualRow] = []
        async with opened as prometheus:
            who = await exporter_of_this_host(prometheus, self._booted_at(), now)
            if who is None:
                return Plan(notes=[f"Nothing is compared: {prometheus.url} has nothing of Upkeeper's exporter."])
            covered = await _covered(prometheus, who, now)
            for figure in FIGURES:
                rows += await _rows(prometheus, who, figure, days, now, covered >= LEAST_COVERED)
        young = sum(row.usual is None for row in rows)
        notes = [f"{counted(young, 'figure')} with too little history to tell what is usual."] if young else []
        notes += on_hour(covered)
        return Plan(rows=sorted(rows, key=_order), notes=notes)


async def _covered(prometheus: Prometheus, who: Scraped, now: float) -> float:
    """Seconds before now of which Prometheus has values of the exporter, an hour at most."""
    for sample in await prometheus.instant(SINCE, now):
        if Scraped(sample.labels.get("job", ""), sample.labels.get("instance", "")) == who:
            return min(HOUR, max(0.0, now - sample.value))
    return 0.0


def on_hour(covered: float) -> list[str]:
    """What is to be said of a last hour of which so many seconds are known. Pure."""
    if covered >= WHOLE:
        return []
    minutes = counted(max(1, int(covered // 60)), "minute")
    notes = [f"Of the last hour Prometheus has {minutes}: the figures are of these."]
    if covered < LEAST_COVERED:
        notes.append("None of them is judged before half an hour is there.")
    if covered < LEAST_SECONDS:
        notes.append(f"What is counted, such as CPUs in use, is told from {LEAST_SECONDS / 60:.0f} minutes on.")
    return notes


async def _rows(
    prometheus: Prometheus, who: Scraped, figure: Compared, days: int, now: float, judged: bool
) -> list[UsualRow]:
    found = []
    for series in await prometheus.range(figure.query, now - days * DAY, now, HOUR):
        labels = series.labels
        if Scraped(labels.get("job", ""), labels.get("instance", "")) != who:
            continue
        usual = compare(series.samples, now)
        if usual is not None:
            found.append(
                row(figure, "/".join(labels.get(label, "") for label in figure.labels) or "host", usual, judged)
            )
    return found


def row(figure: Compared, who: str, usual: Usual, judged: bool = True) -> UsualRow:
    """A figure as a row. What differs by less than anybody would notice is usual. judged: whether enough of the last
    hour is known to judge it. Pure.
    """
    judgement = usual.judgement if judged else "too young"
    if usual.usual is not None and abs(usual.now - usual.usual) < figure.least and judgement != "too young":
        judgement = "usual"
    trend, share = usual.trend, None
    if trend is not None and abs(trend) < figure.least:
        trend = 0.0
    if trend is not None and usual.mean:
        share = trend / usual.mean
    return UsualRow(
        figure=figure.figure,
        who=who,
        unit=figure.unit,
        now=usual.now,
        usual=usual.usual,
        usual_low=usual.low,
        usual_high=usual.high,
        compared=usual.compared,
        judgement=judgement,
        trend=trend,
        trend_share=share,
        says=_says(trend),
    )


def _says(trend: float | None) -> str:
    if trend is None:
        return "not known yet"
    return "grows" if trend > 0 else "falls" if trend < 0 else "level"


def _order(one: UsualRow) -> tuple[int, float, str, str]:
    """What is unusual first, by how far."""
    far = abs(one.now - one.usual) / max(abs(one.usual), 1e-9) if one.usual is not None else 0.0
    return (0 if one.judgement in ("higher", "lower") else 1), -far, one.figure, one.who
