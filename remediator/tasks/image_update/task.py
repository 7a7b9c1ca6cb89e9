"""image-update: what is new for a Compose service, and the service brought to it."""

import platform as machine
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from pydantic import Field, JsonValue

from exporter import __version__
from exporter.base.errors import UpkeeperError
from exporter.base.text import format_time
from exporter.base.units import format_bytes, format_duration
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from exporter.inventory.services import Service
from exporter.probing.run import run_probe
from remediator.config.config import Config
from remediator.config.images import Images as Settings
from remediator.evidence.container import container_sources
from remediator.images.news import read_result
from remediator.model.evidence import Source
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.peers.places import Peers
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.task import Backup
from remediator.tasks.backup_verification.task import BackupVerification
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from remediator.tasks.image_update import compose as composes
from remediator.tasks.image_update import journal as journals
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.check import ImageCheck
from remediator.tasks.image_update.choose import Verdict, judge
from remediator.tasks.image_update.compose import Composes
from remediator.tasks.image_update.data import Data, Tasks
from remediator.tasks.image_update.distribution import Known, Registries
from remediator.tasks.image_update.examine import examination, examine
from remediator.tasks.image_update.facts import IMAGE_UPDATE
from remediator.tasks.image_update.images import Images
from remediator.tasks.image_update.journal import Journal
from remediator.tasks.image_update.look import Looked, Looker
from remediator.tasks.image_update.overrides import Pin
from remediator.tasks.image_update.references import parse
from remediator.tasks.image_update.services import Estate, Member
from remediator.tasks.image_update.showing import few, row_of
from remediator.tasks.image_update.shown import is_shown, note
from remediator.tasks.image_update.unchanged import unchanged
from remediator.tasks.image_update.update import Parts, Update
from remediator.tasks.image_update.watch import Patience, Prober
from remediator.tasks.resources import Resources
from remediator.tasks.restore_in_place.task import RestoreInPlace
from remediator.tasks.worker import in_thread

log = structlog.get_logger(__name__)

BACK_UP, PULL, EXAMINE, REHEARSE, UPDATE = "back-up", "pull-image", "examine-image", "rehearse", "update-service"
FINISH, KEEP, GO_BACK = "finish-update", "keep-image", "go-back"
_HOURS = 3600.0


class Updating(Parameters):
    """Of image-update."""

    young: bool = Field(default=False, description="take the new image although it is younger than images.min_age")
    major: bool = Field(default=False, description="take another major version too; never of a database")
    again: bool = Field(default=False, description="take the new image although the service went back from it before")
    settle: Literal["", "keep", "image", "image-and-data"] = Field(
        default="",
        description="what is to stay of an update that asks: the new image; the former image; or that and its data",
    )


@dataclass(frozen=True)
class Means:
    """What the task works with, beside the config. state_dir: where our files are. clock: Unix seconds."""

    engine: DockerEngine
    state_dir: Path
    known: Known
    alerts: Alerts
    data: Data
    probe: Prober = run_probe
    patience: Patience | None = None
    clock: Callable[[], float] = time.time
    has_state: bool = True
    """Whether there is a state directory at all: without one nothing is planned."""


class ImageUpdate:
    """Updates the services of running Compose projects."""

    facts = IMAGE_UPDATE
    parameters = Updating

    def __init__(self, settings: Settings, services: Sequence[Service], keep_label: str, means: Means) -> None:
        """looker, of what is made here, is what looks at services."""
        self._settings, self._services, self._means = settings, services, means
        self._estate = Estate(means.engine)
        self._images = Images(means.engine, settings.pull_timeout)
        self._composes = Composes(settings.compose, means.engine.host)
        self.looker = Looker(self._estate, settings, self._composes, self._registries, keep_label, means.state_dir)
        self._patience = means.patience or Patience(settings.start_timeout, settings.watch_for)
        self._keep_label = keep_label
        self.action_timeout = max(
            settings.pull_timeout + 60.0, 8 * _HOURS + 2 * settings.start_timeout + settings.watch_for
        )

    async def targets(self) -> Sequence[str]:
        """All services of Compose projects that have a container (none while the engine is away)."""
        try:
            return await self._estate.targets()
        except UpkeeperError as error:
            log.debug("services of Compose unknown", error=str(error))
            return []

    async def measure(self, target: str) -> Measurement:
        """Breached: a new image waits for nothing but to be taken, or an update is not settled. Values: ``pending`` and
        ``open`` (0 or 1).
        """
        journal = await self._journal(target)
        if journal is not None:
            detail = f"an update of {target} to {journal.new.image} is not settled"
            return Measurement(breached=True, values={"pending": 0.0, "open": 1.0}, detail=detail)
        looked = await self.looker.look(target, with_tags=False)
        verdict = self._judge(looked, Updating())
        pending = verdict is not None and verdict.pending
        return Measurement(
            breached=pending, values={"pending": float(pending), "open": 0.0}, detail=_told(target, looked, verdict)
        )

    def evidence(self, target: str) -> Sequence[Source]:
        """How the container was, and its last words: making it anew takes both away."""

        async def find() -> str:
            found = await self._estate.again(*_names(target))
            if not found:
                raise TaskError(f"no container of {target} is here")
            return found[0].state.id

        return container_sources(self._means.engine, find)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        asked = Updating.model_validate(dict(params))
        if not self._means.has_state:
            raise TaskError("without a state directory no image is updated: an interruption would be forgotten")
        journal = await self._journal(target)
        if journal is not None:
            return self._open(target, journal, asked)
        if asked.settle:
            return Plan(notes=[f"No update of {target} waits for an answer."])
        looked = await self.looker.look(target)
        verdict = self._judge(looked, asked)
        notes = [*looked.notes, *_tags_noted(looked)]
        hold = looked.left_out or ("" if verdict is None else verdict.hold)
        actions: list[Action] = []
        backup = ""
        if verdict is not None and not hold:
            backup, hold, back_up = await self._backup(target)
            hold = hold or await self._went_back(target, looked, asked) or await self._would_change(looked)
            if not hold:
                pull, change = self._actions(target, looked, verdict, backup)
                image = str(change.params["image"])
                examined, hold = await self._examination(target, image, looked.member.image_id)
                rehearsal, hold = ([], hold) if hold else await self._rehearsal(target, image)
                actions = [] if hold else [*back_up, pull, *examined, *rehearsal, change]
        notes += _notes(looked, verdict, hold, actions)
        asks = ""
        if actions and looked.policy == "approve":
            asks = f"a person must approve the new image of {target}: it is not labelled upkeeper.update=auto"
        row = row_of(target, looked, verdict, hold, backup)
        return Plan(actions=actions, rows=[row], notes=notes, asks=asks)

    async def apply(self, target: str, action: Action) -> Effect:
        given = action.params
        if action.kind == BACK_UP:
            proof = self._proof(target)
            made = await self._means.data.make(str(given["series"]), proof)
            return Effect(state="done", detail=f"made and proven ({proof}): {made.name}")
        if action.kind == PULL:
            return await self._pull(target, action)
        if action.kind == EXAMINE:
            return await self._examine(target, action)
        if action.kind == REHEARSE:
            return await self._rehearse(target, action)
        if action.kind not in (UPDATE, FINISH, KEEP, GO_BACK):
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        project_name, service = _names(target)
        journal = await self._journal(target)
        members = await self._estate.again(project_name, service)
        if not members and journal is not None:
            await self._images.let_go(target)
            await in_thread(lambda _: journals.drop(journals.path_of(self._means.state_dir, project_name, service)))
            return Effect(state="skipped", detail="its container was removed meanwhile: nothing is left to settle")
        if not members:
            return Effect(state="skipped", detail="its container was removed since the plan")
        project = await self.looker.project(members[0])
        if isinstance(project, str):
            raise TaskError(f"{target}: {project}")
        update = Update(self._parts(), project, project_name, service, self.looker.settings(target))
        if action.kind == UPDATE:
            return await self._update(target, action, update, members, journal)
        if journal is None or journal.new.image != given["image"]:
            return Effect(state="skipped", detail="it is settled by now")
        if action.kind == KEEP:
            return await update.settle(journal)
        if action.kind == GO_BACK:
            return Effect(state="done", detail=await update.go_back(journal, with_data=bool(given["with_data"])))
        return await update.go_on(journal)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """No image waits any more, or no update is open any more."""
        return any(after.values[key] < before.values[key] for key in ("pending", "open"))

    async def _update(
        self, target: str, action: Action, update: Update, members: Sequence[Member], journal: Journal | None
    ) -> Effect:
        """The change itself; where it was begun before, and that was interrupted, what is left of it."""
        given = action.params
        new = Pin(image=str(given["image"]), made_for=str(given["made_for"]))
        if journal is not None:
            if journal.new != new:
                raise TaskError(f"another update of {target} is not settled: run it again")
            return await update.go_on(journal)
        member = members[0]
        image = await self._images.one(new.image)
        if image is None:
            return Effect(state="skipped", detail="not done: its image was not pulled")
        if member.image_id == image.id:
            return Effect(state="skipped", detail=f"it runs {new.image} already")
        if len(members) != 1 or member.state.id != given["container"] or not member.state.running:
            return Effect(state="skipped", detail="it was stopped or made anew since the plan")
        looked = await self.looker.look(target, with_tags=False)
        if looked.left_out or looked.image != new.made_for:
            return Effect(state="skipped", detail=looked.left_out or "its Compose file asks for another image now")
        if [each.service for each in looked.sharers] != given["sharers"]:
            return Effect(state="skipped", detail="what shares its network has changed since the plan")
        changed = await self._would_change(looked)
        if changed:
            raise TaskError(f"{target}: {changed}")
        settings = self.looker.settings(target)
        if settings is not None and settings.backup and not settings.at_rest:
            _, hold, missing = await self._backup(target)
            if hold or missing:
                raise TaskError(f"{target} was left as it is: {hold or f'{settings.backup} has no proven set of late'}")
        if not await self._is_examined(target, new.image):
            return Effect(state="skipped", detail="not done: it was not shown that this image may be taken")
        if settings is not None and settings.rehearse and not await self._is_rehearsed(target, new.image):
            return Effect(state="skipped", detail="not done: its rehearsal has not gone well")
        return await update.go_on(await update.begin(member, new, looked.sharers))

    async def _pull(self, target: str, action: Action) -> Effect:
        image = parse(str(action.params["image"]))
        assert image is not None
        pulled = await self._images.pull(image, image.digest)
        return Effect(state="done" if pulled else "skipped", detail="pulled" if pulled else "it is here already")

    async def _went_back(self, target: str, looked: Looked, asked: Updating) -> str:
        """Why an image is not taken that did not stay the last time; empty where it may be."""
        project, service = _names(target)
        last = await in_thread(lambda _: read_result(self._means.state_dir, project, service))
        candidate = looked.candidate
        if last is None or candidate is None or asked.again or last.result == "updated":
            return ""
        if last.digest != candidate.remote.digest:
            return ""
        return f"it went back from this image on {format_time(last.at)} ({last.problem}): -p again=true tries it again"

    async def _examination(self, target: str, text: str, running: str) -> tuple[list[Action], str]:
        """What examines an image that was not yet, where there is something to do it with; or why that cannot be."""
        image = parse(text)
        assert image is not None
        asked, hold = examination(self._settings, image)
        if hold or not asked.rule or await self._is_examined(target, text):
            return [], hold
        params: dict[str, JsonValue] = {"image": text, "running": running}
        return [Action(kind=EXAMINE, object=text, reason=asked.words, params=params)], ""

    async def _is_examined(self, target: str, text: str) -> bool:
        """Whether all was shown of it that must be, which may be nothing."""
        image = parse(text)
        assert image is not None
        asked, hold = examination(self._settings, image)
        if hold or not asked.rule:
            return not hold
        project, service = _names(target)
        return await in_thread(
            lambda _: is_shown(self._means.state_dir, project, service, "examined", text, asked.rule)
        )

    async def _examine(self, target: str, action: Action) -> Effect:
        text = str(action.params["image"])
        image = parse(text)
        if image is None or await self._images.one(text) is None:
            return Effect(state="skipped", detail="not done: the image was not pulled")
        asked, hold = examination(self._settings, image)
        if hold:
            raise TaskError(f"{target} stays as it is: {hold}")
        pinned = f"{image.name}@{image.digest}"
        try:
            shown = await examine(
                asked, pinned, str(action.params["running"]), self._settings.scan_time, self._means.engine.host
            )
        except TaskError as error:
            raise TaskError(f"{target} stays as it is: {error}") from error
        project, service = _names(target)
        await in_thread(lambda _: note(self._means.state_dir, project, service, "examined", text, shown, asked.rule))
        return Effect(state="done", detail=shown)

    async def _rehearsal(self, target: str, image: str) -> tuple[list[Action], str]:
        """What rehearses an image that was not yet, where the config says so; or why that cannot be."""
        settings = self.looker.settings(target)
        if settings is None or not settings.rehearse or settings.backup is None:
            return [], ""
        if not self._means.data.can_rehearse(settings.backup):
            return [], f"it is to be rehearsed, and the backup {settings.backup} has no drill:"
        if await self._is_rehearsed(target, image):
            return [], ""
        reason = f"the newest set of {settings.backup} in a sandbox, where its drill must succeed with this image"
        params: dict[str, JsonValue] = {"image": image, "series": settings.backup}
        return [Action(kind=REHEARSE, object=target, reason=reason, params=params)], ""

    async def _is_rehearsed(self, target: str, image: str) -> bool:
        project, service = _names(target)
        return await in_thread(lambda _: is_shown(self._means.state_dir, project, service, "rehearsed", image))

    async def _rehearse(self, target: str, action: Action) -> Effect:
        text = str(action.params["image"])
        image, local = parse(text), await self._images.one(text)
        if image is None or local is None:
            return Effect(state="skipped", detail="not done: the image was not pulled")
        try:
            shown = await self._means.data.rehearse(str(action.params["series"]), image, local.id)
        except UpkeeperError as error:
            raise TaskError(f"{target} stays as it is: rehearsed with {text}, {error}") from error
        project, service = _names(target)
        await in_thread(lambda _: note(self._means.state_dir, project, service, "rehearsed", text, shown))
        return Effect(state="done", detail=shown)

    async def _backup(self, target: str) -> tuple[str, str, list[Action]]:
        """The backup that an update relies on, in words; why it holds the update up; and what makes a set of it."""
        settings = self.looker.settings(target)
        if settings is None or settings.backup is None:
            return "", "", []
        name, data = settings.backup, self._means.data
        if settings.at_rest:
            if not data.can_make(name):
                return "", f"the backup {name} has no make:, so that no set can be made of it at rest", []
            return f"a set of {name}, made with the service stopped", "", []
        found = await data.newest(name, settings.proof)
        age = None if found is None else max(0.0, self._means.clock() - found.date)
        if found is not None and age is not None and age <= settings.backup_max_age:
            return f"{name}: {found.name}, {settings.proof}, {format_duration(max(60.0, age // 60 * 60))} old", "", []
        had = "it has none" if age is None else f"the newest is {format_duration(max(60.0, age // 60 * 60))} old"
        if not data.can_make(name):
            limit = format_duration(settings.backup_max_age)
            return (
                "",
                f"the backup {name} must have a set that is {settings.proof} and not older than {limit}; {had}",
                [],
            )
        if settings.proof == "drilled":
            return "", f"the backup {name} must have a set that is drilled: upkeeper drill {name}; {had}", []
        reason = f"{target} relies on a set of it that is {settings.proof}; {had}"
        action = Action(kind=BACK_UP, object=name, reason=reason, params={"series": name}, identity=name)
        return f"a set of {name}, made first", "", [action]

    async def _would_change(self, looked: Looked) -> str:
        """Why Compose would change more than the image, in words; empty where it would not, or that cannot be told."""
        assert looked.project is not None
        said = await unchanged(looked.member, looked.sharers, looked.project, looked.image, self._images)
        if said:
            project, service = looked.member.project, looked.member.service
            return (
                f"Compose would change more than the image ({said}): the files of {project} or their variables are not "
                f"those that it was made with. docker compose up -d {service} brings it up to date first"
            )
        return ""

    def _judge(self, looked: Looked, asked: Updating) -> Verdict | None:
        """None where there is nothing to judge: it is current, or left out."""
        if looked.left_out or looked.current or looked.candidate is None:
            return None
        return judge(
            looked.candidate, self._settings.min_age, self._means.clock(), young=asked.young, major=asked.major
        )

    def _actions(self, target: str, looked: Looked, verdict: Verdict, backup: str) -> list[Action]:
        candidate = looked.candidate
        assert candidate is not None
        pinned = candidate.image.pinned(candidate.remote.digest)
        pull = Action(
            kind=PULL, object=pinned, params={"image": pinned},
            reason=f"built {candidate.remote.created or '(when is not told)'}, {format_bytes(candidate.remote.bytes)}",
        )  # fmt: skip
        running = next(iter(sorted(candidate.local.digests)), candidate.local.id)
        parts = [f"from {looked.member.image} ({running[:19]}, built {candidate.local.created[:10]})"]
        if verdict.major:
            parts.append(f"another major version: {verdict.major}")
        with_it = [each.state.name for each in (*looked.sharers, *looked.restarted)]
        if with_it:
            parts.append(f"with it go {', '.join(with_it)}")
        parts.append(f"watched for {format_duration(self._patience.stay)}")
        parts.append(f"backup: {backup}" if backup else "no backup is named for it")
        params: dict[str, JsonValue] = {
            "image": pinned, "made_for": looked.image, "container": looked.member.state.id,
            "former": looked.member.image_id, "sharers": [each.service for each in looked.sharers],
        }  # fmt: skip
        return [pull, Action(kind=UPDATE, object=target, reason="; ".join(parts), params=params)]

    def _open(self, target: str, journal: Journal, asked: Updating) -> Plan:
        """What is done about an update that is not settled."""
        image: dict[str, JsonValue] = {"image": journal.new.image}
        if journal.stage != "asked" and not asked.settle:
            reason = f"to {journal.new.image}: it was interrupted, and is finished, or goes back"
            return Plan(actions=[Action(kind=FINISH, object=target, reason=reason, params=image)])
        if not asked.settle:
            note = (
                f"{target} is not well on {journal.new.image} ({journal.problem}), and a person must say what is to "
                f"stay: settle=keep, settle=image{' or settle=image-and-data' if journal.set else ''}."
            )
            return Plan(notes=[note])
        if asked.settle == "keep":
            return Plan(actions=[Action(kind=KEEP, object=target, reason=journal.new.image, params=image)])
        with_data = asked.settle == "image-and-data"
        if with_data and not journal.set:
            raise TaskError(f"no set of the data of {target} was made at rest: settle=image, and upkeeper restore")
        what = f"{journal.former}{f', and its data from {journal.set}' if with_data else ', on the data as it is'}"
        return Plan(
            actions=[Action(kind=GO_BACK, object=target, reason=what, params={**image, "with_data": with_data})]
        )

    def _proof(self, target: str) -> Literal["checksums", "readable", "restored", "drilled"]:
        settings = self.looker.settings(target)
        return "readable" if settings is None else settings.proof

    def _parts(self) -> Parts:
        means = self._means
        return Parts(
            means.engine, self._estate, self._images, means.data, means.alerts, self._services, means.probe,
            self._patience, means.state_dir, means.clock,
        )  # fmt: skip

    async def _journal(self, target: str) -> Journal | None:
        path = journals.path_of(self._means.state_dir, *_names(target))
        return await in_thread(lambda _: journals.read(path))

    def _registries(self, insecure: frozenset[str]) -> Registries:
        return Registries(self._means.known, insecure, self._settings.registry_timeout)


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    """Updates, and the look at all that could be updated."""
    state_dir = resources.state_dir or Path()
    owner = Owner(host=machine.node(), state="" if resources.state_dir is None else str(resources.state_dir))
    made_by = f"upkeeper {__version__}"
    series: Sequence[Series] = config.backups
    own = Tasks(
        Backup(series, config.postgres, owner, made_by, lambda: resources.docker, neo4j=config.neo4j),
        BackupVerification(series, resources.state_dir),
        RestoreInPlace(series, config.postgres, owner, made_by, lambda: resources.docker),
        DisasterRecoveryTest(series, lambda: resources.docker, resources.state_dir),
    )
    means = Means(
        engine=resources.docker,
        state_dir=state_dir,
        known=resources.memory.of(Known),
        alerts=Alerts(Peers(lambda: config, state_dir)),
        data=Data(series, own),
        has_state=resources.state_dir is not None,
    )
    keep_label = config.docker.cleanup.keep_label
    update = ImageUpdate(config.images, config.services, keep_label, means)
    return [update, ImageCheck(update.looker, config.images, resources.state_dir, resources.docker)]


def _names(target: str) -> tuple[str, str]:
    """Project, whose name has no dot, and service. Raises TaskError for what is neither."""
    project, dot, service = target.partition(".")
    if not dot or not composes.is_project(project) or not composes.is_service(service):
        raise TaskError(f"{target!r} is no service of a Compose project, as in stack.app")
    return project, service


def _told(target: str, looked: Looked, verdict: Verdict | None) -> str:
    if looked.left_out:
        return f"{target} is left out: {looked.left_out}"
    if looked.current or looked.candidate is None or verdict is None:
        return f"{target} runs what its registry has of {looked.image}"
    digest = looked.candidate.remote.digest[:19]
    return f"{target}: {looked.image} has a new image ({digest}){f'; {verdict.hold}' if verdict.hold else ''}"


def _tags_noted(looked: Looked) -> list[str]:
    notes = []
    if looked.newer:
        notes.append(
            f"Newer versions of {looked.image}: {few(looked.newer)}; write one into the Compose file to take it."
        )
    if looked.newer_major:
        notes.append(f"Other major versions: {few(looked.newer_major)}.")
    return notes


def _notes(looked: Looked, verdict: Verdict | None, hold: str, actions: Sequence[Action]) -> list[str]:
    name = looked.member.target
    if looked.left_out:
        return [f"{name} is left out: {looked.left_out}."]
    if verdict is None:
        return [f"{name} runs what its registry has of {looked.image}."]
    if hold:
        return [f"{name} stays as it is: {hold}."]
    if not actions:
        return []
    return [] if looked.restarted or looked.sharers or not looked.member.mounts else _DATA


_DATA = ["It has data: an image alone goes back by itself only while nothing was written to them since it was healthy."]
