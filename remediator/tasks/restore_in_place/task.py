"""restore-in-place: all is looked at, then made ready beside what is there, and then part by part put in its place."""

import errno
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial as partial_call
from pathlib import Path
from typing import cast

from pydantic import Field, JsonValue

from exporter import __version__
from exporter.backups.sets import figures
from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, format_time
from exporter.base.units import format_bytes
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from exporter.inventory.neo4j import Neo4jServer
from exporter.inventory.postgres import PostgresServer
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.backup.holds import Containers
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.journal import read as read_journal
from remediator.tasks.backup.names import set_name
from remediator.tasks.backup.partial import PartialSet
from remediator.tasks.resources import Resources
from remediator.tasks.restore.task import Only, check_part, size_of
from remediator.tasks.restore_in_place import note as notes
from remediator.tasks.restore_in_place.exchange import (
    cleared,
    made_ready,
    remarks,
    require_possible,
    require_unused,
    swapped,
)
from remediator.tasks.restore_in_place.facts import DAY, RESTORE_IN_PLACE
from remediator.tasks.restore_in_place.note import Note
from remediator.tasks.restore_in_place.parts import Replaced, Servers, copier, replaced
from remediator.tasks.restore_in_place.users import users
from remediator.tasks.restoring.checked import Damaged
from remediator.tasks.restoring.parts import FORMS, Part, chosen
from remediator.tasks.restoring.sets import BEFORE, LATEST, ChosenSet, choose, every
from remediator.tasks.worker import in_thread

CHECK, PREPARE, REPLACE, FINISH = "check-set", "make-ready", "replace", "finish-restore"


class RestoringInPlace(Parameters):
    """What is restored."""

    set: str = Field(default=LATEST, description="name of a set; or latest, the newest complete one")
    only: Only = Field(default=[], description=f"parts of it: {FORMS}; else all of it")
    without_copy: bool = Field(default=False, description="do not copy what is there first, as where that is broken")


class RestoreInPlace:
    """Restores sets of series that have ``make:``. owner: whose state directory notes what was stopped, and how far
    it has come. clock: Unix seconds.
    """

    facts = RESTORE_IN_PLACE
    parameters = RestoringInPlace
    action_timeout = DAY

    def __init__(
        self,
        backups: Sequence[Series],
        postgres: Sequence[PostgresServer],
        owner: Owner,
        made_by: str,
        engine: Callable[[], DockerEngine],
        clock: Callable[[], float] = time.time,
        neo4j: Sequence[Neo4jServer] = (),
    ) -> None:
        self._neo4j = {each.name: each for each in neo4j}
        self._series = {each.name: each for each in backups if each.make is not None and each.path is not None}
        self._postgres = {each.name: each for each in postgres}
        self._owner, self._made_by, self._engine, self._clock = owner, made_by, engine, clock

    async def targets(self) -> Sequence[str]:
        return list(self._series)

    async def measure(self, target: str) -> Measurement:
        """Never breached: whether something must be restored only a person knows."""
        found = figures(await in_thread(lambda _: every(self._one(target), self._clock)))
        return Measurement(breached=False, values={"sets": float(found.sets)}, detail=counted(found.sets, "set"))

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Raises TaskError where it cannot be done, as far as can be told without doing anything."""
        asked = RestoringInPlace.model_validate(dict(params))
        series = self._one(target)
        if not self._owner.state:
            raise TaskError(
                "without a state directory nothing is restored in place: an interruption would be forgotten"
            )
        found = await in_thread(lambda _: choose(series, asked.set, self._clock))
        parts = chosen(found.manifest, asked.only)
        what = [await self._replaced(series, found, part) for part in parts]
        stops = [await self._users(each) for each in what]
        await in_thread(lambda stop: require_possible(what, found, stop))
        note = await in_thread(lambda _: notes.read(notes.path_of(Path(self._owner.state), series.name)))
        said = remarks(what)
        now = self._clock()
        copy_set = set_name(f"{BEFORE}*", now, lambda name: os.path.lexists(Path(cast(str, series.path)) / name))
        if note is not None and _is_same(note, found, parts):
            copy_set = note.copy_set
            said.append("It goes on with what an interrupted run has begun.")
        elif note is not None:
            said.append(f"Another restore was left unfinished; what was there before it is in {note.copy_set}.partial.")
        common: dict[str, JsonValue] = {
            "set": found.name, "manifest": found.digest, "copy_set": copy_set, "started": now,
            "only": list[JsonValue](asked.only), "without_copy": asked.without_copy,
        }  # fmt: skip
        made = "" if found.date is None else f", made {format_time(found.date)}"
        actions = [_action(CHECK, found.name, f"all of it against its manifest{made}", common, "")]
        actions += [
            _action(
                PREPARE,
                str(part),
                f"about {format_bytes(size_of(part, found))}, beside what is there",
                common,
                str(part),
            )
            for part in parts
        ]
        for part, names in zip(parts, stops, strict=True):
            stopped = f"stops {', '.join(names)}; " if names else ""
            copied = "" if asked.without_copy else f"copies what is there to {copy_set}; "
            then = "; starts them again" if names else ""
            actions.append(
                _action(REPLACE, str(part), f"{stopped}{copied}exchanges it{then}", common, str(part), *names)
            )
        actions.append(_action(FINISH, found.name, "what was exchanged goes", common, ""))
        return Plan(actions=actions, notes=said)

    async def apply(self, target: str, action: Action) -> Effect:
        series = self._one(target)
        try:
            return await self._apply(series, action)
        except Damaged as error:
            raise TaskError(
                f"the set {action.params['set']} is damaged: {error}; nothing was replaced by it"
            ) from error
        except OSError as error:
            if isinstance(error, UpkeeperError):
                raise
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise TaskError(
                    f"the disk is full: no room for {action.object}; make room, and run it again"
                ) from error
            where = f": {error.filename}" if error.filename else ""
            raise TaskError(f"cannot restore {action.object}: {error.strerror or error}{where}") from error

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """What was restored is beside what is measured."""
        return False

    async def _apply(self, series: Series, action: Action) -> Effect:
        found = await in_thread(lambda _: choose(series, str(action.params["set"]), self._clock))
        if found.digest != action.params["manifest"]:
            raise TaskError(f"{found.name} is another set than the one that was planned with")
        parts = chosen(found.manifest, cast(list[str], action.params["only"]))
        copy_set = str(action.params["copy_set"])
        path = notes.path_of(Path(self._owner.state), series.name)
        note = await in_thread(lambda _: notes.read(path))
        if note is None and _is_copied(series, copy_set):
            return Effect(state="skipped", detail="it is done")
        if action.kind == CHECK:
            if note is None or note.copy_set != copy_set:  # else it goes on
                await in_thread(lambda stop: _check(found, parts, stop))
                fresh = Note(manifest=found.digest, copy_set=copy_set, parts=[str(part) for part in parts])
                await in_thread(lambda _: notes.write(path, fresh))
            return Effect(state="done", detail="it is whole")
        if note is None or (note.manifest, note.copy_set) != (found.digest, copy_set):
            return Effect(state="skipped", detail="not done: the set was not found to be whole")
        if action.kind == FINISH:
            return await self._finish(series, found, parts, note, path)
        if note.failed:
            return Effect(state="skipped", detail="left alone, for another part could not be replaced")
        part = {str(part): part for part in parts}[str(action.params["part"])]
        try:
            what = await self._replaced(series, found, part)
            if action.kind == PREPARE:
                return await self._prepare(found, what, note, path)
            if action.kind == REPLACE:
                return await self._replace(series, found, parts, what, note, path, action)
        except (UpkeeperError, Damaged, OSError) as error:
            failed = note.model_copy(update={"failed": f"{part}: {error}"})
            await in_thread(lambda _: notes.write(path, failed))
            raise
        raise TaskError(f"{self.facts.name} does not know how to {action.kind}")

    async def _prepare(self, found: ChosenSet, what: Replaced, note: Note, path: Path) -> Effect:
        key = str(what.part)
        if key in note.ready:
            return Effect(state="skipped", detail="it lies ready")
        ready = await in_thread(lambda stop: made_ready(found, what, stop))
        after = note.model_copy(update={"ready": {**note.ready, key: ready}})
        await in_thread(lambda _: notes.write(path, after))
        return Effect(state="done", detail=format_bytes(size_of(what.part, found)))

    async def _replace(
        self, series: Series, found: ChosenSet, parts: Sequence[Part], what: Replaced, note: Note, path: Path,
        action: Action,
    ) -> Effect:  # fmt: skip
        part = what.part
        key, started = str(what.part), float(cast(float, action.params["started"]))
        if key not in note.ready:
            return Effect(state="skipped", detail="left alone, for not all lies ready")
        containers = self._containers(series)
        if key in note.replaced:
            again = await containers.release()
            return Effect(state="skipped", detail=f"it is replaced{', started: ' if again else ''}{', '.join(again)}")
        if set(note.ready) != set(note.parts):
            return Effect(state="skipped", detail="left alone, for not all lies ready")
        names = await self._users(what)
        planned = set(cast(list[str], action.params["stops"]))
        noted = {each.name for each in await containers.noted()}  # by this run, before it was interrupted
        if not set(names) <= planned | noted:
            raise TaskError(f"{', '.join(sorted(set(names) - planned))} use it since it was planned; plan again")
        names = sorted({*names, *noted})
        async with containers.still(names, []):
            await in_thread(lambda _: require_unused(what))
            if not action.params["without_copy"]:
                await self._copy(series, found, parts, part.member.key, note, started)
            said = await in_thread(lambda stop: swapped(what, note, stop))
            after = note.model_copy(update={"replaced": [*note.replaced, key]})
            await in_thread(lambda _: notes.write(path, after))
        return Effect(
            state="done", detail="; ".join(filter(None, [said, f"started {', '.join(names)}" if names else ""]))
        )

    async def _copy(
        self, series: Series, found: ChosenSet, parts: Sequence[Part], key: str, note: Note, started: float
    ) -> None:
        """Copies what is there of all parts of a member, once, before any of them is replaced."""
        assert series.make is not None
        partial = PartialSet(Path(cast(str, series.path)), note.copy_set)
        journal = await in_thread(lambda _: partial.begin(series.name, self._owner, started))
        if key in journal.made:
            return
        whole = [await self._replaced(series, found, part) for part in parts if part.member.key == key]
        source = await copier(
            whole, series.make, Servers(self._postgres, self._neo4j), self._engine(), self._containers(series)
        )
        if source is None:
            return
        encrypt = series.make.encrypt
        with partial.held():
            into = Into(partial.path, None if encrypt is None else encrypt.age_recipients_file)
            copied = await source.copy(into)
            await in_thread(lambda _: partial.add(key, source.kind, source.name, copied))

    async def _finish(self, series: Series, found: ChosenSet, parts: Sequence[Part], note: Note, path: Path) -> Effect:
        missing = [key for key in note.parts if key not in note.replaced]
        partial = PartialSet(Path(cast(str, series.path)), note.copy_set)
        journal = await in_thread(lambda _: read_journal(partial.path))
        kept = ""
        if journal is not None or (partial.final).exists():
            keys = [] if journal is None else list(journal.made)
            if keys or partial.final.exists():
                await in_thread(lambda _: partial.finish(keys, self._owner.host, self._made_by, self._clock()))
                kept = f"what was there is in {note.copy_set}"
            else:
                await in_thread(lambda _: partial.remove())
        for part in parts:
            what = await self._replaced(series, found, part)
            await in_thread(partial_call(cleared, what))
        await in_thread(lambda _: path.unlink(missing_ok=True))
        back = f"; to go back: upkeeper restore {note.copy_set} --name {series.name}" if kept else ""
        if missing:
            raise TaskError(f"not replaced: {', '.join(missing)}; {note.failed or 'run it again'}{back}")
        return Effect(state="done", detail=f"{kept}{back}" or "nothing was there before")

    async def _replaced(self, series: Series, found: ChosenSet, part: Part) -> Replaced:
        assert series.make is not None
        servers = Servers(self._postgres, self._neo4j)
        return await replaced(found, part, series.make, servers, self._engine(), Path(self._owner.state))

    async def _users(self, what: Replaced) -> list[str]:
        """Containers that use it. Where there is no Docker engine, files are used by none; a volume needs one."""
        if not what.places:
            return list(what.writers)
        engine = self._engine()
        try:
            return await users(engine, [place.target for place in what.places])
        except UpkeeperError:
            if what.part.member.kind == "volumes" or _is_expected(engine):
                raise
            return []

    def _containers(self, series: Series) -> Containers:
        return Containers(self._engine(), Path(self._owner.state) / "stopped-for-backups" / f"{series.name}.json")

    def _one(self, target: str) -> Series:
        try:
            return self._series[target]
        except KeyError:
            raise TaskError(f"no backup of the name {target!r} has a section make:") from None


def _action(kind: str, name: str, reason: str, common: Mapping[str, JsonValue], part: str, *stops: str) -> Action:
    identity = "\n".join([kind, name, str(common["manifest"]), str(common["without_copy"]), *stops])
    params = {**common, "part": part, "stops": list[JsonValue](stops)}
    return Action(kind=kind, object=name, reason=reason, params=params, identity=identity)


def _is_copied(series: Series, copy_set: str) -> bool:
    """Whether the set of what was there has its name: the run has come to its end."""
    return os.path.lexists(Path(cast(str, series.path)) / copy_set)


def _is_same(note: Note, found: ChosenSet, parts: Sequence[Part]) -> bool:
    return (note.manifest, note.parts, note.failed) == (found.digest, [str(part) for part in parts], "")


def _check(found: ChosenSet, parts: Sequence[Part], stop: threading.Event) -> None:
    for part in parts:
        check_part(found, part, stop)


def _is_expected(engine: DockerEngine) -> bool:
    """Whether there should be an engine: it is on another machine, or has a socket."""
    return engine.socket is None or os.path.lexists(engine.socket)


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    state = "" if resources.state_dir is None else str(resources.state_dir)
    owner = Owner(host=platform.node(), state=state)
    made_by = f"upkeeper {__version__}"
    return [
        RestoreInPlace(config.backups, config.postgres, owner, made_by, lambda: resources.docker, neo4j=config.neo4j)
    ]
