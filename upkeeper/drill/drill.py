"""The drill itself: makes the breach, follows it, and says where it stuck. What it made is gone in the end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from remediator.statedir import StateDir
from upkeeper.drill import breach
from upkeeper.drill.checks import Diagnosis
from upkeeper.drill.diagnose import diagnose, foresee
from upkeeper.drill.facts import DrillFacts
from upkeeper.drill.stations import Progress, Station

INTERVAL = 0.5
"""Seconds between two looks at the services."""


class Source(Protocol):
    """Where the facts come from; see Sources."""

    async def begin(self) -> None: ...
    async def look(self) -> DrillFacts: ...
    async def examine(self) -> DrillFacts: ...


@dataclass(frozen=True)
class Stuck:
    """The station that the drill did not get past, and why."""

    station: Station
    diagnosis: Diagnosis


@dataclass(frozen=True)
class Report:
    """The drill at one moment, the last one its result. ``note``: what it does before the breach, for people."""

    progress: Progress
    note: str = ""
    run_id: int | None = None
    stuck: Stuck | None = None

    @property
    def ended(self) -> bool:
        return self.stuck is not None or self.progress.current is None

    def document(self) -> dict[str, Any]:
        """The report as JSON. ``at`` is Unix seconds, ``seconds`` since the breach was made."""
        started = self.progress.started
        passed = self.progress.passed.items()
        return {
            "ok": self.stuck is None and self.progress.current is None,
            "started_at": started,
            "stations": [{"station": name, "at": at, "seconds": round(at - started, 3)} for name, at in passed],
            "run_id": self.run_id,
            "stuck": None
            if self.stuck is None
            else {
                "station": self.stuck.station,
                "cause": self.stuck.diagnosis.cause,
                "remedy": self.stuck.diagnosis.remedy,
            },
        }


class Drill:
    """One drill on a state directory.

    source: the services; watch: is given each Report; timeout: seconds from the breach to the last station.
    """

    def __init__(
        self,
        state: StateDir,
        source: Source,
        watch: Callable[[Report], None],
        timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._source = source
        self._watch = watch
        self._timeout = timeout
        self._clock = clock

    async def run(self) -> Report:
        """The result. Raises ClientError when another drill is under way or its files cannot be written or removed."""
        with breach.only_drill(self._state), breach.cleaned_up(self._state):
            report = await self._prepare()
            if report is None:
                await self._source.begin()
                breach.make(self._state.drill)
                report = await self._follow()
            self._watch(report)
            return report

    async def _prepare(self) -> Report | None:
        """Looks whether the way is free: None, or the report of a drill that need not begin."""
        deadline = self._clock() + self._timeout
        suspect = Suspect()
        await self._source.begin()
        while True:
            facts = await self._source.examine()
            now = self._clock()
            found = foresee(facts)
            if found is not None and (now > deadline or suspect.is_certain(found[1], now)):
                return Report(Progress(now), stuck=Stuck(*found))
            if found is None and facts.prometheus.alert is None:
                return None
            # The same episode would not be new to the remediator, so it must have ended.
            if found is None and now > deadline:
                return Report(Progress(now), stuck=Stuck(Station.RESOLVED, _EARLIER))
            note = _ENDING if found is None else f"{found[1].cause}; looking again"
            self._watch(Report(Progress(now), note=note))
            await asyncio.sleep(INTERVAL)

    async def _follow(self) -> Report:
        progress = Progress(self._clock())
        suspect = Suspect()
        while True:
            facts = await self._source.look()
            now = self._clock()
            progress = progress.advance(facts, now)
            run = facts.remediator.run
            report = Report(progress, run_id=run["id"] if run is not None else None)
            station = progress.current
            if station is None:
                return report
            self._watch(report)
            certain = suspect.is_certain(diagnose(station, facts), now)
            if certain or now - progress.started >= self._timeout:
                stuck = Stuck(station, diagnose(station, await self._source.examine()))
                return Report(progress, run_id=report.run_id, stuck=stuck)
            await asyncio.sleep(INTERVAL)


class Suspect:
    """How long the latest cause has lasted: a service may only be starting or be restarted."""

    def __init__(self) -> None:
        self._cause = ""
        self._since = 0.0

    def is_certain(self, found: Diagnosis, now: float) -> bool:
        """Whether the cause found now has lasted as long as it takes to be certain of it."""
        if found.cause != self._cause:
            self._cause, self._since = found.cause, now
        return found.certain_after is not None and now - self._since >= found.certain_after


_ENDING = "waiting until the alert of an earlier drill has ended"
_EARLIER = Diagnosis(
    "the alert of an earlier drill still fires in Prometheus, although its directory is gone",
    "check that the exporter and Prometheus still run, and drill again",
)
