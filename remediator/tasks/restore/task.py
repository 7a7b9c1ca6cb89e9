"""restore: a set into a directory. One action that looks at all of it, one a part, and one that says it is whole."""

import errno
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, cast

from pydantic import BeforeValidator, Field, JsonValue

from exporter.backups.manifest import ENCRYPTED_SUFFIX
from exporter.backups.sets import figures
from exporter.base.text import counted, format_time
from exporter.base.units import format_bytes, format_duration
from exporter.inventory.backups import Backup as Series
from exporter.inventory.neo4j import Neo4jServer
from exporter.inventory.postgres import PostgresServer
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.resources import Resources
from remediator.tasks.restore.facts import DAY, RESTORE
from remediator.tasks.restore.into_database import Database, database_of
from remediator.tasks.restore.into_directory import Destination, wanted
from remediator.tasks.restoring import archive, checked
from remediator.tasks.restoring.checked import Damaged
from remediator.tasks.restoring.graph import Graph, graphs_into
from remediator.tasks.restoring.parts import FORMS, Part, chosen
from remediator.tasks.restoring.sets import LATEST, ChosenSet, choose, every
from remediator.tasks.worker import in_thread

CHECK, RESTORE_PART, FINISH = "check-set", "restore-part", "finish-restore"
MAKE_DATABASE, FILL_GRAPH = "make-database", "fill-database"


def _one_or_more(given: object) -> object:
    return [given] if isinstance(given, str) else given


Only = Annotated[list[str], BeforeValidator(_one_or_more)]


class Restoring(Parameters):
    """What is restored, and where to."""

    set: str = Field(default=LATEST, description="name of a set; or latest, the newest complete one")
    only: Only = Field(default=[], description=f"parts of it: {FORMS}; else all of it")
    to: str = Field(
        description="directory that is empty or not there yet, with its whole path; or, of one database, a new name; "
        "or, of Neo4j, another server of `neo4j:` whose database is empty"
    )


class Restore:
    """Restores sets of series that are in a directory. clock: Unix seconds."""

    facts = RESTORE
    parameters = Restoring
    action_timeout = DAY

    def __init__(
        self,
        backups: Sequence[Series],
        postgres: Sequence[PostgresServer] = (),
        clock: Callable[[], float] = time.time,
        neo4j: Sequence[Neo4jServer] = (),
    ) -> None:
        self._neo4j = {each.name: each for each in neo4j}
        self._postgres = {each.name: each for each in postgres}
        self._series = {each.name: each for each in backups if each.path is not None and each.pattern is not None}
        self._in_repositories = {each.name for each in backups if each.restic is not None}
        self._clock = clock

    async def targets(self) -> Sequence[str]:
        return list(self._series)

    async def measure(self, target: str) -> Measurement:
        """Never breached: whether there is something to restore is the matter of other tasks."""
        series = self._one(target)
        found = figures(await in_thread(lambda _: every(series, self._clock)))
        age = (
            ""
            if found.newest is None
            else f", the newest {format_duration(max(0, round(self._clock() - found.newest)))} old"
        )
        return Measurement(breached=False, values={"sets": float(found.sets)}, detail=counted(found.sets, "set") + age)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Raises TaskError where the set or the directory must not be used."""
        asked = Restoring.model_validate(dict(params))
        return await in_thread(lambda stop: self._plan(self._one(target), asked, stop))

    async def apply(self, target: str, action: Action) -> Effect:
        series = self._one(target)
        try:
            return await in_thread(lambda stop: self._apply(series, action, stop))
        except Damaged as error:
            raise TaskError(
                f"the set {action.params['set']} is damaged: {error}; nothing of it was restored"
            ) from error
        except OSError as error:
            raise _told(error, action) from error

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """What was restored is beside what is measured."""
        return False

    def _plan(self, series: Series, asked: Restoring, stop: threading.Event) -> Plan:
        found = choose(series, asked.set, self._clock)
        parts = chosen(found.manifest, asked.only)
        if "/" not in asked.to and all(part.member.kind == "neo4j" for part in parts):
            return self._plan_graphs(graphs_into(self._neo4j, asked.to, found, parts), asked, found, stop)
        if "/" not in asked.to:
            return self._plan_database(database_of(self._postgres, asked.to, found, parts), asked)
        destination = Destination(Path(asked.to))
        journal = destination.require_usable(wanted(series.name, found, parts))
        done = [] if journal is None else journal.done
        sizes = {str(part): size_of(part, found) for part in parts}
        destination.require_room(sum(size for part, size in sizes.items() if part not in done))
        common: dict[str, JsonValue] = {"set": found.name, "manifest": found.digest, "to": asked.to}
        common["only"] = list[JsonValue](asked.only)
        made = "" if found.date is None else f", made {format_time(found.date)}"
        entries = [entry for part in parts for entry in part.files(found.manifest)]
        read = f"{counted(len(entries), 'file')}, {format_bytes(sum(entry.bytes for entry in entries))}"
        actions = [Action(kind=CHECK, object=found.name, reason=f"{read}, against the manifest{made}", params=common)]
        actions += [
            Action(
                kind=RESTORE_PART,
                object=str(part),
                reason=f"about {format_bytes(sizes[str(part)])}, into {asked.to}/{_place(part)}",
                params={**common, "part": str(part)},
            )
            for part in parts
            if str(part) not in done
        ]
        actions.append(Action(kind=FINISH, object=asked.to, reason="all is there and on disk", params=common))
        notes = [f"{part} is there already from a run that was interrupted." for part in done]
        return Plan(actions=actions, notes=[*notes, *_notes(parts)])

    def _plan_database(self, database: Database, asked: Restoring) -> Plan:
        notes = database.look()
        params: dict[str, JsonValue] = {"set": database.found.name, "manifest": database.found.digest, "to": asked.to}
        params["only"] = list[JsonValue](asked.only)
        what = f"{format_bytes(database.entry.bytes)}, against the manifest"
        reason = f"{database.part} into a new database of {database.server.name}, then compared with what was counted"
        actions = [
            Action(kind=CHECK, object=database.found.name, reason=what, params=params),
            Action(kind=MAKE_DATABASE, object=database.name, reason=reason, params=params),
        ]
        return Plan(actions=actions, notes=notes)

    def _plan_graphs(self, graphs: Sequence[Graph], asked: Restoring, found: ChosenSet, stop: threading.Event) -> Plan:
        params: dict[str, JsonValue] = {"set": found.name, "manifest": found.digest, "to": asked.to}
        params["only"] = list[JsonValue](asked.only)
        actions = [Action(kind=CHECK, object=found.name, reason="against the manifest, to its end", params=params)]
        for graph in graphs:
            database = graph.look(stop, replaces=False)
            reason = f"{graph.name} of the set into the empty database {database}, then compared with what was counted"
            one = {**params, "graph": graph.name}
            actions.append(Action(kind=FILL_GRAPH, object=f"{asked.to}/{database}", reason=reason, params=one))
        return Plan(actions=actions)

    def _apply_graphs(self, graphs: Sequence[Graph], action: Action, stop: threading.Event) -> Effect:
        if action.kind == FILL_GRAPH:
            graph = next(each for each in graphs if each.name == action.params["graph"])
            return Effect(state="done", detail=graph.fill(stop, replaces=False))
        for graph in graphs:
            graph.read(stop)
        return Effect(state="done", detail="it is whole")

    def _apply(self, series: Series, action: Action, stop: threading.Event) -> Effect:
        found = self._same_set(series, action)
        parts = chosen(found.manifest, cast(list[str], action.params["only"]))
        to = str(action.params["to"])
        if "/" not in to and all(part.member.kind == "neo4j" for part in parts):
            return self._apply_graphs(graphs_into(self._neo4j, to, found, parts), action, stop)
        if "/" not in to:
            database = database_of(self._postgres, to, found, parts)
            if action.kind == MAKE_DATABASE:
                return Effect(state="done", detail=database.make(stop))
            checked.check(found.directory, database.entry, stop)
            return Effect(state="done", detail="it is whole")
        destination = Destination(Path(to))
        journal = wanted(series.name, found, parts)
        if action.kind == CHECK:
            destination.require_usable(journal)
            for part in parts:
                check_part(found, part, stop)
            destination.begin(journal)
            return Effect(state="done", detail="it is whole")
        noted = destination.journal()
        if noted is None or noted.model_copy(update={"done": []}) != journal:
            return Effect(state="skipped", detail="not done: the set was not found to be whole")
        missing = [part for part in journal.parts if part not in noted.done]
        if action.kind == FINISH:
            if missing:
                raise TaskError(f"{destination.path} is not whole: {', '.join(missing)} missing; run it again")
            destination.finish()
            return Effect(state="done", detail=f"{found.name} is in {destination.path}")
        if action.kind != RESTORE_PART:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        key = str(action.params["part"])
        if key not in missing:
            return Effect(state="skipped", detail="it is there")
        said = _restored(found, {str(part): part for part in parts}[key], destination, stop)
        destination.note_done(key)
        return Effect(state="done", detail=said)

    def _same_set(self, series: Series, action: Action) -> ChosenSet:
        found = choose(series, str(action.params["set"]), self._clock)
        if found.digest != action.params["manifest"]:
            raise TaskError(f"{found.name} is another set than the one that was planned with")
        return found

    def _one(self, target: str) -> Series:
        try:
            return self._series[target]
        except KeyError:
            if target in self._in_repositories:
                raise TaskError(
                    f"the sets of {target} are in a restic repository: upkeeper restore latest --name {target} "
                    f"--from restic:REPOSITORY --password-file FILE --to DIRECTORY"
                ) from None
            raise TaskError(f"no backup of the name {target!r} has a path") from None


def check_part(found: ChosenSet, part: Part, stop: threading.Event) -> None:
    """Reads all of it, in a set that is not touched. Blocks. Raises Damaged, TaskError, OSError, Stopped."""
    for entry in part.files(found.manifest):
        if part.is_archive:
            checked.check(found.directory, entry, stop)
            entries = archive.look(found.content, entry, stop)
            wanted_entries = part.member.facts.get("entries", entries)
            if entries != wanted_entries:
                raise Damaged(f"{entry.path} holds {entries} entries, where {wanted_entries} were backed up")
        else:
            checked.check(found.directory, entry, stop)


def _restored(found: ChosenSet, part: Part, destination: Destination, stop: threading.Event) -> str:
    """Puts a part where it belongs; what there is to say of it."""
    entries = part.files(found.manifest)
    if not part.is_archive:
        for entry in entries:
            checked.copy(found.content, entry, destination.free(entry.path.removesuffix(ENCRYPTED_SUFFIX)), stop)
        return format_bytes(sum(entry.bytes for entry in entries))
    said: list[str] = []
    at = destination.clear(_place(part), part.path)
    for entry in entries:
        said += archive.unpack(found.content, entry, at, part.path, stop)
    size = format_bytes(size_of(part, found))
    return f"{size}; tar says: {said[0]}" if said else size


def _place(part: Part) -> str:
    """Below the directory."""
    if part.is_archive:
        return "files" if part.member.kind == "files" else f"{part.member.kind}/{part.member.name}"
    if len(part.member.files) > 1:
        return f"{part.member.kind}/{part.member.name}"
    return part.member.files[0].removesuffix(ENCRYPTED_SUFFIX)


def size_of(part: Part, found: ChosenSet) -> int:
    """Bytes that it takes once it is restored, as far as is known."""
    content = part.member.facts.get("content_bytes")
    if part.is_archive and isinstance(content, int):
        return content
    return sum(entry.bytes for entry in part.files(found.manifest))


def _notes(parts: Sequence[Part]) -> list[str]:
    import os

    notes = []
    if os.geteuid() != 0 and any(part.is_archive for part in parts):
        notes.append("Owners are not kept: only root can give files to others.")
    if any(part.member.kind == "postgres" for part in parts):
        notes.append("Dumps of PostgreSQL are laid there as they are, for pg_restore.")
    return notes


def _told(error: OSError, action: Action) -> TaskError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TaskError(f"the disk is full: no room for {action.object}; make room, and run it again: it goes on")
    where = f": {error.filename}" if error.filename else ""
    return TaskError(f"cannot restore {action.object}: {error.strerror or error}{where}")


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [Restore(config.backups, config.postgres, neo4j=config.neo4j)]
