"""The status: the tasks, the remedies with their track records, and everything at a glance."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import sqlalchemy as sa

from exporter import __version__
from exporter.base.text import format_time_ms
from remediator.api.operations import PAGE
from remediator.config.remedies import Remedy
from remediator.control.auditing import Auditing
from remediator.control.ballast import BallastKeeper
from remediator.control.breakers import OpenBreaker
from remediator.control.holding import Holding
from remediator.control.trusting import Trusting
from remediator.decide.trust import promotion
from remediator.model.level import Track
from remediator.model.shapes.answers import Page
from remediator.model.shapes.audit import AuditStateView
from remediator.model.shapes.remedies import RemedyView, TrackView
from remediator.model.shapes.status import StatusView
from remediator.model.shapes.tasks import TaskView
from remediator.model.task import Task, TaskError
from remediator.store import audit, levels, pages
from remediator.store.database import Database
from remediator.store.finished import OfFinishedRuns
from remediator.webhook.watchdog import Watchdog

NO_TRACK: TrackView = {"runs": 0, "effective": 0, "plans": 0, "would_act": 0}


class Standing:
    """Combines what is in force with what the record says about it."""

    def __init__(
        self,
        database: Database,
        tasks: Callable[[], Mapping[str, Task]],
        trusting: Trusting,
        holding: Holding,
        auditing: Auditing,
        ballast: BallastKeeper,
        watchdog: Watchdog,
        clock: Callable[[], float],
        tells_nobody: Callable[[], bool],
    ) -> None:
        self._database = database
        self._watchdog = watchdog
        self._tasks = tasks
        self._trusting = trusting
        self._holding = holding
        self._auditing = auditing
        self._ballast = ballast
        self._clock = clock
        self._tells_nobody = tells_nobody
        self._tracks = OfFinishedRuns(pages.tracks)
        self._outcomes = OfFinishedRuns(pages.outcomes)

    async def remedies(self) -> Page[RemedyView]:
        """The configured remedies in their order, each with its track and what follows from it."""
        tracks = await self._database.read(self._tracks)
        breakers = await self._holding.breakers()
        remedies = self._trusting.remedies().remedies
        shown = await self._database.read(partial(self._since_changed, remedies=remedies))
        items = [
            self._remedy(remedy, tracks.get(remedy.name, NO_TRACK), track, breakers)
            for remedy, track in zip(remedies, shown, strict=True)
        ]
        return {"items": items, "next": None}

    def _since_changed(self, connection: sa.Connection, remedies: Sequence[Remedy]) -> Sequence[Track]:
        """What the runs of each have shown since its level was last changed."""
        found = [(remedy.name, self._trusting.level(remedy.name)) for remedy in remedies]
        host = self._database.host
        return [levels.track(connection, host, name, 0.0 if last is None else last.at) for name, last in found]

    def _remedy(self, remedy: Remedy, counted: TrackView, track: Track, breakers: Sequence[OpenBreaker]) -> RemedyView:
        configured = self._trusting.configured(remedy.name)
        level = self._trusting.level(remedy.name) if configured != remedy.autonomy else None
        suggested = promotion(remedy, track)
        more = {
            "configured_autonomy": configured,
            "changed": None if level is None else {"reason": level.reason, "since": format_time_ms(level.at)},
            "suggestion": None if suggested is None else {"autonomy": suggested[0], "reason": suggested[1]},
            "estimate_ratio": track.estimates,
            "track": counted,
            "open_breakers": [one.target for one in breakers if remedy.name in one.remedies],
        }
        return {**remedy.model_dump(mode="python", by_alias=True), **more}  # type: ignore[typeddict-item]

    async def tasks(self) -> Page[TaskView]:
        items: list[TaskView] = [
            {
                "name": task.facts.name,
                "summary": task.facts.summary,
                "never": list(task.facts.never),
                "disruption": task.facts.disruption,
                "targets": await _targets_or_none(task),
            }
            for task in self._tasks().values()
        ]
        return {"items": items, "next": None}

    async def status(self) -> StatusView:
        unfinished = await self._database.read(partial(pages.unfinished_runs, host=self._database.host))
        waiting = partial(pages.list_approvals, now=self._clock(), state="asked", limit=PAGE)
        last, watchdog = await self._database.read(pages.last_alerts)
        return {
            "version": __version__,
            "paused": await self._holding.paused(),
            "queue_depth": len(unfinished),
            "running": [run for run in unfinished if run["state"] not in ("queued", "waiting")],
            "approvals": (await self._database.read(waiting))["items"],
            "open_breakers": await self._holding.open_breakers(),
            "last_alert_at": None if last is None else format_time_ms(last),
            "watchdog_at": None if watchdog is None else format_time_ms(watchdog),
            "watchdog_lost": self._watchdog.state().lost,
            "tells_nobody": self._tells_nobody(),
            "counts": {"alerts_firing": await self._database.read(pages.alerts_firing)} | await self._ended(),
            "audit": await self.audit_state(),
            "ballast": await self._ballast.look(),
        }

    async def _ended(self) -> dict[str, int]:
        found = await self._database.read(self._outcomes)
        return {f"runs_{outcome}".replace("-", "_"): count for outcome, count in found.items()}

    async def audit_state(self) -> AuditStateView:
        head = await self._database.read(partial(audit.head, host=self._database.host))
        verified = self._auditing.verified_at
        return {
            "records": (head.number or 0) if head else 0,
            "head": head.hash if head else "",
            "verified_at": None if verified is None else format_time_ms(verified),
            "faults": list(self._auditing.faults),
        }


async def _targets_or_none(task: Task) -> list[str]:
    with suppress(TaskError):
        return sorted(await task.targets())
    return []
