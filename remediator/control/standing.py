"""The status: the tasks, the remedies with their track records, and everything at a glance."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import add

import sqlalchemy as sa

from exporter import __version__
from exporter.base.text import format_time_ms
from remediator.api.operations import PAGE
from remediator.audit.verify import Head
from remediator.config.config import Config
from remediator.config.remedies import Remedy
from remediator.control.auditing import Auditing
from remediator.control.ballast import BallastKeeper
from remediator.control.breakers import OpenBreaker
from remediator.control.holding import Holding
from remediator.control.trusting import Trusting
from remediator.decide.trust import promotion
from remediator.model.level import Track
from remediator.model.params import described
from remediator.model.shapes.answers import Page
from remediator.model.shapes.approvals import ApprovalView
from remediator.model.shapes.audit import AuditStateView
from remediator.model.shapes.remedies import RemedyView, TrackView
from remediator.model.shapes.runs import RunView
from remediator.model.shapes.status import StatusView, WayView
from remediator.model.shapes.tasks import TaskView
from remediator.model.task import Task, TaskError
from remediator.model.tasks import made
from remediator.store import audit, pages
from remediator.store.database import Database
from remediator.store.finished import OfFinishedRuns, Tracks
from remediator.telling.reach import Way
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
        config: Callable[[], Config],
        journal_since: float | None = None,
        ways: Callable[[], Sequence[Way]] = tuple,
    ) -> None:
        self._database = database
        self._watchdog = watchdog
        self._tasks = tasks
        self._trusting = trusting
        self._holding = holding
        self._auditing = auditing
        self._ballast = ballast
        self._clock = clock
        self._config = config
        self._journal_since = journal_since
        self._ways = ways
        self._counted = OfFinishedRuns(pages.tracks, pages.add_tracks)
        self._tracks = Tracks(database.host)
        self._outcomes = OfFinishedRuns(pages.outcomes, add)

    async def remedies(self) -> Page[RemedyView]:
        """The configured remedies in their order, each with its track and what follows from it."""
        remedies = self._trusting.remedies().remedies
        breakers = await self._holding.breakers()
        counted, shown = await self._database.read(partial(self._shown, remedies=remedies))
        items = [
            self._remedy(remedy, counted.get(remedy.name, NO_TRACK), track, breakers)
            for remedy, track in zip(remedies, shown, strict=True)
        ]
        return {"items": items, "next": None}

    def _shown(
        self, connection: sa.Connection, remedies: Sequence[Remedy]
    ) -> tuple[Mapping[str, TrackView], Sequence[Track]]:
        """The runs of every remedy, and what those of each of these have shown since its level was last changed."""
        found = [(remedy.name, self._trusting.level(remedy.name)) for remedy in remedies]
        since = [(name, 0.0 if last is None else last.at) for name, last in found]
        return self._counted(connection), self._tracks(connection, since)

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
        tasks = self._tasks()
        every = [task for name in tasks if (task := await made(tasks, name)) is not None]
        items: list[TaskView] = [
            {
                "name": task.facts.name,
                "summary": task.facts.summary,
                "never": list(task.facts.never),
                "disruption": task.facts.disruption,
                "targets": await _targets_or_none(task),
                "parameters": list(described(task.parameters)),
            }
            for task in every
        ]
        return {"items": items, "next": None}

    async def status(self) -> StatusView:
        # Beside each other: on a busy machine each wait for a thread is long.
        recorded, paused, breakers, ballast = await asyncio.gather(
            self._database.read(self._recorded),
            self._holding.paused(),
            self._holding.open_breakers(),
            self._ballast.look(),
        )
        watchdog = self._watchdog.state()
        return {
            "version": __version__,
            "paused": paused,
            "queue_depth": recorded.queue_depth,
            "running": recorded.running,
            "approvals": recorded.approvals,
            "open_breakers": breakers,
            "last_alert_at": None if recorded.last_alert is None else format_time_ms(recorded.last_alert),
            "watchdog_at": None if recorded.watchdog is None else format_time_ms(recorded.watchdog),
            "watchdog_lost": watchdog.lost,
            "tells_nobody": self._config().tells_nobody,
            "ways": [_way(one) for one in self._ways()],
            "watched": watched(self._config()),
            "journal_since": None if self._journal_since is None else format_time_ms(self._journal_since),
            "counts": recorded.counts,
            "audit": self._audit_state(recorded.head),
            "ballast": ballast,
        }

    def _recorded(self, connection: sa.Connection) -> "_Recorded":
        """What the record says for the status, in one view of it."""
        host = self._database.host
        ended = self._outcomes(connection)
        return _Recorded(
            queue_depth=pages.unfinished_runs(connection, host),
            running=pages.runs_under_way(connection, host),
            approvals=pages.list_approvals(connection, self._clock(), PAGE, state="asked")["items"],
            last_alert=pages.last_alert(connection),
            # Who listens for it knows; to look for it is to read every alert.
            watchdog=self._watchdog.last if self._watchdog.listens else pages.last_watchdog(connection),
            counts={"alerts_firing": pages.alerts_firing(connection)}
            | {f"runs_{outcome}".replace("-", "_"): count for outcome, count in ended.items()},
            head=audit.head(connection, host),
        )

    async def audit_state(self) -> AuditStateView:
        return self._audit_state(await self._database.read(partial(audit.head, host=self._database.host)))

    def _audit_state(self, head: Head | None) -> AuditStateView:
        verified = self._auditing.verified_at
        return {
            "records": (head.number or 0) if head else 0,
            "head": head.hash if head else "",
            "verified_at": None if verified is None else format_time_ms(verified),
            "faults": list(self._auditing.faults),
        }


def _way(one: Way) -> WayView:
    return {
        "name": one.name,
        "told_at": None if one.told_at is None else format_time_ms(one.told_at),
        "failing_since": None if one.failing_since is None else format_time_ms(one.failing_since),
        "reason": one.reason,
    }


def watched(config: Config) -> dict[str, int]:
    """How many of each kind of thing the config names, the kinds by their sections. Pure.

    Beside these there are file systems, the host and containers, which nobody has to name.
    """
    sections = ("services", "logs", "backups", "postgres", "neo4j", "sqlite")
    return {name: len(found) for name in sections if (found := getattr(config, name))}


@dataclass(frozen=True)
class _Recorded:
    queue_depth: int
    running: list[RunView]
    approvals: list[ApprovalView]
    last_alert: float | None
    watchdog: float | None
    counts: dict[str, int]
    head: Head | None


async def _targets_or_none(task: Task) -> list[str]:
    with suppress(TaskError):
        return sorted(await task.targets())
    return []
