"""What a report is made of: the record's figures, how things stand, and what the machine is made of now."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from exporter import __version__
from exporter.base.errors import UpkeeperError
from exporter.base.text import format_time, format_time_ms, parse_time
from exporter.configfile.masked import plain
from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.reporting import make
from remediator.reporting.report import FillsUp, Part, Report, State
from remediator.store import figures
from remediator.store.figures import Span
from remediator.tasks.capacity_planning.facts import CAPACITY_PLANNING
from remediator.tasks.composite.facts import COMPREHENSIVE_CLEANUP, DAILY, MONTHLY, WEEKLY, YEARLY
from remediator.tasks.configuration_audit.facts import CONFIGURATION_AUDIT
from remediator.tasks.maintenance_report.dpkg_log import Entry, read_log
from remediator.tasks.maintenance_report.facts import JSON, MAINTENANCE_REPORT
from remediator.tasks.packages.facts import PACKAGE_CLEANUP, SECURITY_UPDATE, SYSTEM_UPDATE
from remediator.tasks.resources import Knows, Resources
from remediator.tasks.security_review.facts import SECURITY_REVIEW
from remediator.tasks.worker import in_thread

if TYPE_CHECKING:
    from docker import APIClient

COMPOSITES = tuple(one.name for one in (DAILY, WEEKLY, MONTHLY, YEARLY, COMPREHENSIVE_CLEANUP))
"""Their parts are counted, and they are not."""
LOOKERS = (CONFIGURATION_AUDIT.name, SECURITY_REVIEW.name)
"""Tasks whose rows are findings."""
PACKAGES = tuple(one.name for one in (SECURITY_UPDATE, SYSTEM_UPDATE, PACKAGE_CLEANUP))
"""Tasks whose rows are packages."""
PARTS: Sequence[Part] = ("open", "remedies", "backups")
"""Of the remediator's answers, in their order."""
NOT_LOOKED_AT = "Not looked at: "
"""Begins a note of theirs on what they could not look at."""
LOOK_SECONDS = 20.0
OLD_FORECAST = 3 * 86400.0
MOST_FORECASTS = 25
MOST_CONTAINERS = 500

Rows = Mapping[str, tuple[float, Sequence[Mapping[str, Any]]]]
"""By task, when its last look ended, and the rows that it left."""


class Sources:
    """What the record holds, what the remediator says of itself, which images run, and what dpkg did.

    dpkg_log: None where there is none.
    """

    def __init__(self, config: Config, resources: Resources, dpkg_log: Path | None = None) -> None:
        self._dpkg_log = dpkg_log
        self._config = config
        self._resources = resources

    async def last_until(self, before: float) -> float | None:
        """The end of the last regular report that ended before then."""
        former = await self._former(before)
        return _until(former) if former is not None else None

    async def report(self, since: float, until: float, now: float, *, regular: bool) -> Report:
        """The report on a span of time. Raises TaskError, and what a database raises."""
        record = self._resources.record
        span = Span(record.host, since, until, COMPOSITES)
        counted = await record.read(partial(_count, span=span))
        stands, state, former, (logged, unlogged) = await asyncio.gather(
            self._stands(self._resources.remediator),
            self._state(counted["rows"], counted["partly"]),
            self._former(until),
            self._logged(since, until),
        )
        fills_up = _full(counted["rows"].get(CAPACITY_PLANNING.name), now)
        status, remedies, sets, unknown = stands
        unseen = [part for part, one in zip(PARTS, (status, remedies, sets), strict=True) if one is None]
        begun, helped = counted["episodes"]
        firing_count, firing = counted["firing"]
        return Report(
            host=record.host,
            version=__version__,
            made_at=now,
            since=since,
            until=until,
            regular=regular,
            done=make.tasks_done(counted["outcomes"], counted["deeds"]),
            days=make.days_done(counted["outcomes"], counted["deeds"], since, until),
            troubles=list(counted["troubles"]),
            open=list(make.open_now(status, firing, firing_count)) if status is not None else [],
            changes=[
                *make.changes(make.state_of(former) if former is not None else None, state[0]),
                *make.packages(counted["packages"]),
                *make.packages_of_others(logged, counted["packages"]),
            ],
            compared_with=_until(former) if former is not None else None,
            fills_up=fills_up[0],
            remedies=make.remedies_stand(remedies["items"]) if remedies is not None else [],
            backups=make.backups_stand(sets) if sets is not None else [],
            alerts_begun=begun,
            alerts_helped=helped,
            verdicts=counted["verdicts"],
            state=state[0],
            unknown=[*unknown, *state[1], *fills_up[1], *unlogged],
            unseen=unseen,
        )

    async def _stands(self, remediator: Knows) -> Any:
        """Status, remedies and sets, each None where it is not known, and what is not."""
        answers = await asyncio.gather(
            remediator.status(), remediator.remedies(), remediator.sets(), return_exceptions=True
        )
        unknown = []
        for name, answer in zip(("what is open", "how remedies stand", "backups"), answers, strict=True):
            if isinstance(answer, UpkeeperError | SQLAlchemyError | OSError):
                unknown.append(f"{name}: {answer}")
            elif isinstance(answer, BaseException):
                raise answer
        return *(None if isinstance(one, BaseException) else one for one in answers), unknown

    async def _state(self, rows: Rows, partly: Sequence[str]) -> tuple[State, Sequence[str]]:
        images, unknown = await self._images(self._resources.docker)
        looked = {task: rows[task][0] for task in LOOKERS if task in rows}
        return State(_digest(self._config), images, _findings(rows), looked, partly), unknown

    async def _images(self, engine: DockerEngine) -> tuple[Mapping[str, str], Sequence[str]]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await engine.call(_running), []
        except (UpkeeperError, TimeoutError) as error:
            return {}, [f"which images run: {error or 'no answer in time'}"]

    async def _logged(self, since: float, until: float) -> tuple[Sequence[Entry], Sequence[str]]:
        if self._dpkg_log is None:
            return [], []
        log = self._dpkg_log
        found, problem = await in_thread(lambda _: read_log(log, since, until))
        return found, [f"all packages that others changed: {problem}"] if problem else []

    async def _former(self, before: float) -> Any:
        return await self._resources.record.read(partial(_former, host=self._resources.record.host, before=before))


def _count(connection: sa.Connection, span: Span) -> Mapping[str, Any]:
    """All that the record tells, on one view of it."""
    return {
        "outcomes": figures.outcomes(connection, span),
        "deeds": figures.deeds(connection, span),
        "troubles": figures.troubles(connection, span),
        "verdicts": figures.verdicts(connection, span),
        "episodes": figures.episodes(connection, span),
        "firing": figures.firing(connection),
        "packages": figures.rows_of(connection, span, PACKAGES),
        "partly": figures.partly(connection, span.host, LOOKERS, NOT_LOOKED_AT),
        "rows": figures.last_rows(connection, span.host, (*LOOKERS, CAPACITY_PLANNING.name)),
    }


def _former(connection: sa.Connection, host: str, before: float) -> Any:
    """The newest regular report that ended before then, as its document; None where there is none."""
    for document in figures.documents(connection, host, MAINTENANCE_REPORT.name, JSON):
        if isinstance(document, dict) and document.get("regular") is True:
            until = document.get("until")
            if isinstance(until, str) and until < format_time_ms(before):
                return document
    return None


def _until(document: Any) -> float | None:
    try:
        return parse_time(document["until"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _digest(config: Config) -> str:
    """Of all that is in force, by which a change is told."""
    return hashlib.sha256(json.dumps(plain(config), sort_keys=True, default=str).encode()).hexdigest()


def _full(foretold: tuple[float, Sequence[Mapping[str, Any]]] | None, now: float) -> tuple[list[FillsUp], list[str]]:
    """What was foretold last, the soonest first, and what is to be said of that."""
    if foretold is None:
        return [], [f"what will be full when: {CAPACITY_PLANNING.name} has not run yet"]
    at, rows = foretold
    found = sorted(
        make.fills_up(rows, at), key=lambda one: (one.full_from is None, one.full_from, -(one.used_ratio or 0))
    )
    old = now - at > OLD_FORECAST
    return found[:MOST_FORECASTS], [
        f"what will be full when is what was foretold on {format_time(at)[:10]}"
    ] if old else []


def _findings(rows: Rows) -> Mapping[str, str]:
    """Messages of findings by what makes each the same."""
    found = {}
    for task in LOOKERS:
        for row in rows[task][1] if task in rows else ():
            id = row.get("id") or f"{row.get('check')}:{_place(row)}:{row.get('message')}"
            found[f"{task}/{id}"] = f"{row.get('severity')}, {row.get('message')}"
    return found


def _place(row: Mapping[str, Any]) -> str:
    places = row.get("places") or [{}]
    return str(places[0].get("file", ""))


def _running(client: "APIClient") -> Mapping[str, str]:
    """By the names of running containers, what they run: as it was asked for, and which image that is."""
    found = {}
    for one in client.containers()[:MOST_CONTAINERS]:
        name = str((one.get("Names") or ["?"])[0]).lstrip("/")
        digest = str(one.get("ImageID", "")).removeprefix("sha256:")[:12]
        image = str(one.get("Image", ""))
        found[name] = f"{image} ({digest})" if digest not in image else image
    return found
