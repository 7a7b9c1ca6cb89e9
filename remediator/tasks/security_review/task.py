"""security-review: everything that lets others in, now. It only looks."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, format_time
from exporter.configfile.named_files import secret_files
from exporter.docker.containers import Lister
from exporter.docker.engine import DockerEngine
from exporter.findings.audit import Audit
from exporter.findings.finding import SEVERITIES
from exporter.findings.running_projects import RunningProjects, running_projects
from remediator.config.config import Config
from remediator.config.security import Security
from remediator.model.artefact import Made
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.security.accept import review
from remediator.security.documents import SARIF_MEDIA_TYPE, document, sarif
from remediator.security.finding import Found, Review
from remediator.security.sources import containers, files, logins, ports, scanner, updates
from remediator.store.hosts import this_host
from remediator.tasks.resources import Resources
from remediator.tasks.security_review.facts import ALL, SECURITY_REVIEW
from remediator.tasks.security_review.rows import row

MAX_ROWS = 500
FRESH = 600.0
"""Seconds for which what was found serves the plan that follows the measurement, and the measurement after it."""


class SecurityReview:
    """clock: Unix seconds."""

    facts = SECURITY_REVIEW
    parameters = Parameters
    action_timeout = 60.0

    def __init__(
        self, settings: Security, audit: Audit, engine: DockerEngine, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._audit = audit
        self._engine = engine
        self._clock = clock
        self._last: tuple[float, Review] | None = None
        self._turn = asyncio.Lock()

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Breached: a finding that is a warning or critical, and not accepted. Values: findings by severity."""
        found = await self._review(target, again=True)
        values: dict[str, float] = {severity: float(found.count(severity)) for severity in SEVERITIES}
        values |= {"accepted": float(len(found.accepted)), "unknown": float(len(found.unknown))}
        return Measurement(breached=found.breached, values=values, detail=_summary(found))

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Never an action; a row for each finding, the worst first, and a note for whatever is not known."""
        found = await self._review(target, again=False)
        notes = []
        if len(found.risks) > MAX_ROWS:
            notes.append(f"There are {len(found.risks) - MAX_ROWS} further findings, in security-review.json.")
        notes += [f"Not looked at: {text}." for text in found.unknown]
        notes += [f"The acceptance of {id} ended with {until}." for id, until in found.expired]
        if found.accepted:
            notes.append(f"The config accepts {counted(len(found.accepted), 'further finding')} (security.accept).")
        return Plan(rows=[row(risk) for risk in found.risks[:MAX_ROWS]], notes=notes, made=_made(found, self._clock()))

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return before.breached and not after.breached

    async def _review(self, target: str, *, again: bool) -> Review:
        """What there is now; for a plan, what its measurement has just found."""
        if target != ALL:
            raise TaskError(f"{self.facts.name} has one target, {ALL}")
        async with self._turn:
            now = self._clock()
            if again or self._last is None or not 0 <= now - self._last[0] < FRESH:
                self._last = (now, await self._look(now))
            return self._last[1]

    async def _look(self, now: float) -> Review:
        settings = self._settings
        found = await asyncio.gather(
            logins.look(settings.failed_logins_within, settings.failed_logins, now),
            ports.look(),
            self._containers(now),
            updates.look(),
        )
        today = datetime.fromtimestamp(now, UTC).date()
        flat = [one for each in found for one in (each if isinstance(each, list) else [each])]
        return review(flat, settings.accept, today)

    async def _containers(self, now: float) -> list[Found]:
        """Of the running containers, of the files that they were started from, and of their images."""
        running, images = await containers.look(self._engine, now, self._settings.image_max_age)
        told = await files.look(self._audit, await self._projects())
        scanned = Found()
        if images and self._settings.scan_images:
            scanned = await scanner.look(images, self._settings.scan_time)
        return [running, told, scanned]

    async def _projects(self) -> RunningProjects:
        try:
            return running_projects(await self._engine.call(partial(Lister.read, Lister())))
        except UpkeeperError:  # which is said of the containers already
            return RunningProjects()


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    audit = Audit(config.configuration, secret_files(config))
    return [SecurityReview(config.security, audit, resources.docker)]


def _made(found: Review, now: float) -> Sequence[Made]:
    host, at = this_host(), format_time(now)

    def made(name: str, media_type: str, content: object) -> Made:
        return Made(name=name, media_type=media_type, content=(json.dumps(content, indent=1) + "\n").encode())

    return [
        made("security-review.json", "application/json", document(found, host, at)),
        made("security-review.sarif", SARIF_MEDIA_TYPE, sarif(found, host, at)),
    ]


def _summary(found: Review) -> str:
    counts = {severity: found.count(severity) for severity in reversed(SEVERITIES)}
    words = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    text = f"{counted(len(found.risks), 'finding')}: {words}" if words else "no findings"
    if found.accepted:
        text += f"; {len(found.accepted)} accepted"
    if found.unknown:
        text += f"; not looked at: {counted(len(found.unknown), 'thing')}"
    return text
