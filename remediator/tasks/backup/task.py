"""backup: makes a set of a series. One action a member, then one that makes a set of them."""

import errno
import fnmatch
import os
import platform
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from exporter import __version__
from exporter.backups import seen
from exporter.backups.directory import BackupDirectory
from exporter.backups.manifest import ManifestBroken
from exporter.backups.manifest import read as read_manifest
from exporter.backups.sets import BackupSet, compared, figures
from exporter.base.errors import UpkeeperError
from exporter.base.units import format_bytes, format_duration
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from exporter.inventory.neo4j import Neo4jServer
from exporter.inventory.postgres import PostgresServer
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Params, Plan, Task, TaskError
from remediator.model.taskfacts import TaskFacts
from remediator.progress import watched
from remediator.tasks.backup import space
from remediator.tasks.backup.age import require_recipients
from remediator.tasks.backup.commands import Commands
from remediator.tasks.backup.copies.repository import Repository
from remediator.tasks.backup.copying import Copying, Making
from remediator.tasks.backup.facts import BACKUP, DAY
from remediator.tasks.backup.holds import Containers, Held
from remediator.tasks.backup.into import Into
from remediator.tasks.backup.journal import Journal, Owner
from remediator.tasks.backup.names import set_name
from remediator.tasks.backup.partial import Leftover, PartialSet, leftovers
from remediator.tasks.backup.registry import sources_of
from remediator.tasks.backup.snapshots.partial import ResticPartial
from remediator.tasks.backup.snapshots.sets import sets_in
from remediator.tasks.backup.sources.source import Source
from remediator.tasks.resources import Resources
from remediator.tasks.worker import in_thread

START, COPY, FINISH, REMOVE, ADOPT = "start-again", "back-up", "finish-set", "remove-unfinished", "finish-left-over"
BEFORE, AFTER = "run-before", "run-after"


class Backup:
    """Makes sets of the series that have ``make:``.

    owner: who makes them; below its state directory it is noted which containers are stopped. made_by: program and
    version. clock: Unix seconds. config_file: Upkeeper's own config, which is in every set.
    """

    parameters = Making
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
        config_file: str | None = None,
    ) -> None:
        self._config_file = config_file
        self.facts = _facts(backups)
        self._engine = engine
        self._series = {each.name: each for each in backups if each.make is not None}
        self._postgres = {each.name: each for each in postgres}
        self._neo4j = {each.name: each for each in neo4j}
        self._owner = owner
        self._made_by = made_by
        self._clock = clock
        self._copying = Copying(owner, clock)

    async def targets(self) -> Sequence[str]:
        return list(self._series)

    async def measure(self, target: str) -> Measurement:
        """Breached: there is no complete set, or the newest is older than it may be."""
        series = self._one(target)
        sets = await self._sets(series)
        found = figures(sets)
        age = None if found.newest is None else self._clock() - found.newest
        values = {"sets": float(found.sets)}
        if found.newest is not None:
            values |= {"newest_timestamp_seconds": found.newest, "newest_bytes": float(found.newest_bytes or 0)}
        detail = "there is no set" if age is None else f"the newest set is {format_duration(max(0.0, round(age)))} old"
        return Measurement(breached=age is None or age > series.max_age, values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """One action for each member, then one that makes a set of them, and one for each place that it is copied to.

        Raises TaskError where there is no room.
        """
        series = self._one(target)
        path = self._path(series)
        if Making.model_validate(dict(params)).only_copy:
            return await in_thread(lambda _: self._copying.plan_newest(series))
        left, notes = await in_thread(lambda _: self._leftovers(series))
        recipients = _recipients(series)
        if recipients is not None:
            await in_thread(lambda _: require_recipients(recipients))
        sources = self._sources(series)
        sizes = {key: await source.size() for key, source in sources.items()}
        last = await in_thread(lambda _: self._last_sizes(series))
        estimated = space.estimate(last, sizes)
        freed = sum(each.bytes for each in left if not each.whole)
        if series.restic is None:  # of a repository nobody can tell how much room it has
            await in_thread(lambda _: space.require(str(path), max(0, sum(estimated.values()) - freed)))
        now = self._clock()
        name = set_name(_pattern(series), now, lambda name: _taken(path, name))
        stopped = await self._containers(series).noted()
        commands = self._commands(series)
        owed = [_after(commands, name, _OWED)] if await commands.owed() else []
        before = [*_starts(stopped, name), *owed, *(_clear(each) for each in left)]
        hooks = [_before(commands, name, now)] if commands.before else []
        after = [_after(commands, name, "when all is copied, and also when that failed")] if commands.after else []
        copies = _copies(sources, estimated, name, now)
        actions = [*before, *hooks, *copies, *after, _end(sources, name), *self._copying.plan(series, name)]
        asks = _asks(series)
        return Plan(
            actions=actions, asks=asks, notes=[*notes, f"It takes about {format_bytes(sum(estimated.values()))}."]
        )

    async def apply(self, target: str, action: Action) -> Effect:
        series = self._one(target)
        partial_set = self._partial(series, str(action.params["set"]))
        match action.kind:
            case "start-again":
                started = await self._containers(series).release()
                return Effect(state="done" if started else "skipped", detail=", ".join(started) or "they run already")
            case "run-before":
                return await self._run_before(series, partial_set, action)
            case "run-after":
                return Effect(state="done", detail=await self._commands(series).run_after(partial_set.name))
            case "back-up":
                return await self._copy(series, partial_set, action)
            case "finish-set" | "finish-left-over":
                keys = [str(key) for key in cast(Sequence[str], action.params.get("members", []))]
                return await in_thread(lambda _: self._finish(series, partial_set, keys))
            case "remove-unfinished":
                return await in_thread(lambda _: self._remove(series, partial_set))
            case "copy-set":
                return await in_thread(lambda stop: self._copying.copy(series, action, stop))
        raise TaskError(f"{self.facts.name} does not know how to {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """There is a newer set."""
        key = "newest_timestamp_seconds"
        return after.values.get(key, 0.0) > before.values.get(key, 0.0)

    async def clear_up(self, target: str, actions: Sequence[Action]) -> str:
        """Of a run that was cancelled: runs what stood still, runs ``after``, and removes what there is of its set."""
        series = self._one(target)
        started = await self._containers(series).release()
        name = next((str(each.params["set"]) for each in actions if each.kind in (COPY, FINISH)), None)
        if name is None:
            return ""
        commands = self._commands(series)
        try:
            if await commands.owed():
                await commands.run_after(name)
        finally:
            partial = self._partial(series, name)
            if partial.final.exists():
                removed = Effect(state="skipped", detail="the set was made")
            else:
                removed = await in_thread(lambda _: self._remove(series, partial))
        return "; ".join([*(f"{each} runs again" for each in started), f"{name}: {removed.detail}"])

    async def _run_before(self, series: Series, partial_set: PartialSet, action: Action) -> Effect:
        started = float(cast(float, action.params["started"]))
        await self._begin(series, partial_set, started)
        try:
            return Effect(state="done", detail=await self._commands(series).run_before(partial_set.name))
        except TaskError as error:
            await self._note_failure(partial_set, "before", str(error))
            raise

    async def _begin(self, series: Series, partial_set: PartialSet, started: float) -> Journal:
        """The journal of a set that is there from now on; so is the note of what is to run in the end."""
        journal = await in_thread(lambda _: partial_set.begin(series.name, self._owner, started))
        commands = self._commands(series)
        try:
            if not journal.made and not journal.failed:
                await commands.owe(partial_set.name)
        except OSError as error:
            raise TaskError(f"cannot write {commands.note}: {error.strerror or error}") from error
        return journal

    async def _copy(self, series: Series, partial_set: PartialSet, action: Action) -> Effect:
        key = str(action.params["member"])
        source = self._sources(series).get(key)
        if source is None:
            raise TaskError(f"{key} is no longer in make: of the backup {series.name}")
        started = float(cast(float, action.params["started"]))
        journal = await self._begin(series, partial_set, started)
        if any(each != key for each in journal.failed):
            return Effect(state="skipped", detail="not made: another part of this set failed")
        try:
            with partial_set.held():
                async with watched(partial_set.written, cast(int | None, action.params.get("expected"))):
                    copied = await source.copy(self._into(series, partial_set, started))
                await in_thread(lambda _: partial_set.add(key, source.kind, source.name, copied))
        except (UpkeeperError, OSError) as error:
            failure = error if isinstance(error, UpkeeperError) else _told(error, source)
            await self._note_failure(partial_set, key, str(failure))
            raise failure from error
        size = sum(file.bytes for file in copied.files)
        return Effect(state="done", detail="; ".join(filter(None, [format_bytes(size), copied.remark])))

    async def _note_failure(self, partial_set: PartialSet, key: str, why: str) -> None:
        try:
            await in_thread(lambda _: partial_set.fail(key, why))
        except (OSError, TaskError):
            return  # a full disk: that the member is missing says enough

    def _finish(self, series: Series, partial_set: PartialSet, keys: Sequence[str]) -> Effect:
        try:
            self._note_seen(series)
            made = partial_set.finish(keys, self._owner.host, self._made_by, self._clock())
        except OSError as error:
            raise TaskError(f"cannot finish {partial_set.path}: {error.strerror or error}") from error
        return Effect(state="done", detail=f"{partial_set.name}: {len(made.files)} files, {format_bytes(made.bytes)}")

    def _note_seen(self, series: Series) -> None:
        """By which retention notices that the clock jumped since, or that another disk is mounted. Raises OSError."""
        if self._owner.state and series.keep is not None and series.restic is None:
            sets = [each for each in BackupDirectory(series, self._clock).read() if each.state == "complete"]
            newest = sorted(sets, key=lambda each: each.date or 0.0, reverse=True)
            seen.note(Path(self._owner.state), series.name, self._clock, [each.name for each in newest])

    def _remove(self, series: Series, partial_set: PartialSet) -> Effect:
        left, _ = self._leftovers(series)
        if not any(each.partial == partial_set and not each.whole for each in left):
            return Effect(state="skipped", detail="gone, or no longer what it was")
        with partial_set.held():
            freed = partial_set.remove()
        return Effect(state="done", detail="removed", freed_bytes=freed)

    def _one(self, target: str) -> Series:
        try:
            return self._series[target]
        except KeyError:
            raise TaskError(f"no backup of the name {target!r} has a section make:") from None

    def _partial(self, series: Series, name: str) -> PartialSet:
        path = self._path(series)
        if series.restic is None:
            return PartialSet(path, name)
        return ResticPartial(path, name, repository=self._repository(series), backup=series.name)

    def _into(self, series: Series, partial: PartialSet, started: float) -> Into:
        if isinstance(partial, ResticPartial):
            return partial.into(self._owner, started)
        return Into(partial.path, _recipients(series))

    def _leftovers(self, series: Series) -> tuple[list[Leftover], list[str]]:
        found, notes = leftovers(self._path(series), series.name, self._owner, _matcher(series))
        if series.restic is None:
            return found, notes
        return [replace(each, partial=self._partial(series, each.partial.name)) for each in found], notes

    def _repository(self, series: Series) -> Repository:
        assert series.restic is not None
        return Repository(series.restic, Path(self._owner.state) / "cache" / "restic-sets")

    def _path(self, series: Series) -> Path:
        """Where sets are made; of those in a repository, where it is noted how far they are."""
        if series.restic is not None:
            if not self._owner.state:
                raise TaskError("without a state directory no set is made in a repository: it is noted there meanwhile")
            notes = Path(self._owner.state) / "restic-sets" / series.name
            notes.mkdir(mode=0o700, parents=True, exist_ok=True)
            return notes
        path = Path(cast(str, series.path))
        if not path.is_dir():
            raise TaskError(f"{path} is not there: make it, or mount what it should be on")
        return path

    def _sources(self, series: Series) -> Mapping[str, Source]:
        assert series.make is not None
        containers = self._containers(series)
        return sources_of(series.make, self._postgres, self._neo4j, self._engine(), containers, self._config_file)

    def _commands(self, series: Series) -> Commands:
        assert series.make is not None
        make, note = series.make, Path(self._owner.state) / "stopped-for-backups" / f"{series.name}.after.json"
        environment = {"UPKEEPER_BACKUP": series.name, "UPKEEPER_BACKUP_PATH": series.path or ""}
        return Commands(make.before, make.after, make.command_timeout, environment, note)

    def _containers(self, series: Series) -> Containers:
        return Containers(self._engine(), Path(self._owner.state) / "stopped-for-backups" / f"{series.name}.json")

    async def _sets(self, series: Series) -> list[BackupSet]:
        if series.restic is not None:
            return await in_thread(lambda stop: sets_in(self._repository(series), series.name, stop))
        try:
            return await in_thread(BackupDirectory(series, self._clock).read)
        except OSError as error:
            raise TaskError(f"cannot read {series.path}: {error.strerror or error}") from error

    def _last_sizes(self, series: Series) -> dict[str, int]:
        """Bytes of each member in the newest set that has a manifest of ours. Blocks."""
        if series.restic is not None:
            return {}
        for each in compared(BackupDirectory(series, self._clock).read()):
            try:
                manifest, _ = read_manifest(Path(cast(str, series.path)) / each.name)
            except ManifestBroken:
                continue
            sizes = {file.path: file.bytes for file in manifest.files}
            return {member.key: sum(sizes[path] for path in member.files) for member in manifest.members}
        return {}


def _pattern(series: Series) -> str:
    return series.pattern or "backup-*"


def _matcher(series: Series) -> Callable[[str], bool]:
    matches = re.compile(fnmatch.translate(_pattern(series))).match
    return lambda name: matches(name) is not None


def _facts(backups: Sequence[Series]) -> TaskFacts:
    """What the task is with these series: where one stops or pauses containers, a run of it interrupts services."""
    makes = [each.make for each in backups if each.make is not None]
    names = [(*each.stop, *each.pause) for make in makes for each in make.volumes]
    names += [(*each.stop, *each.pause) for make in makes for each in make.neo4j]
    names += [(each.dump.container,) for make in makes for each in make.neo4j if each.dump is not None]
    return BACKUP._replace(disruption="outage") if any(names) else BACKUP


def _asks(series: Series) -> str:
    """Why a person must approve what nobody has asked for by hand; empty where none must."""
    assert series.make is not None
    dumps = [each.dump for each in series.make.neo4j if each.dump is not None and each.dump.ask]
    names = ", ".join(each.container for each in dumps)
    return f"{names} stands still while it is dumped (make.neo4j[].dump.ask)" if names else ""


def _recipients(series: Series) -> str | None:
    encrypt = series.make.encrypt if series.make is not None else None
    return None if encrypt is None else encrypt.age_recipients_file


def _taken(path: Path, name: str) -> bool:
    return os.path.lexists(path / name) or os.path.lexists(PartialSet(path, name).path)


def _clear(left: Leftover) -> Action:
    name = left.partial.name
    if left.whole:
        reason = "an earlier run had only to give it its name"
        return Action(kind=ADOPT, object=name, reason=reason, params={"set": name}, identity=f"{ADOPT}:{name}")
    size = left.bytes
    return Action(
        kind=REMOVE, object=left.partial.path.name, reason="an earlier run of this series left it unfinished",
        estimated_bytes=size, params={"set": name}, identity=f"{REMOVE}:{name}",
    )  # fmt: skip


def _before(commands: Commands, name: str, now: float) -> Action:
    told = "; ".join(shlex.join(command) for command in commands.before)
    reason = "before anything is copied; if it fails, nothing is"
    return Action(
        kind=BEFORE, object=told, reason=reason, params={"set": name, "started": now}, identity=f"{BEFORE}:{told}"
    )


def _after(commands: Commands, name: str, reason: str) -> Action:
    told = "; ".join(shlex.join(command) for command in commands.after) or "(no command any more)"
    return Action(kind=AFTER, object=told, reason=reason, params={"set": name}, identity=f"{AFTER}:{reason}:{told}")


_OWED = "an earlier run of this series did not come to it"


def _starts(stopped: Sequence[Held], name: str) -> list[Action]:
    if not stopped:
        return []
    names = ", ".join(each.name for each in stopped)
    reason = "an earlier run of this series stopped them and did not come to start them again"
    return [Action(kind=START, object=names, reason=reason, params={"set": name}, identity=f"{START}:{names}")]


def _copies(sources: Mapping[str, Source], sizes: Mapping[str, int], name: str, now: float) -> list[Action]:
    return [
        Action(
            kind=COPY,
            object=key,
            reason=f"{source}, about {format_bytes(sizes[key])}" if sizes[key] else str(source),
            params={"set": name, "started": now, "member": key, "expected": sizes[key]},
            identity=f"{COPY}:{key}",
        )
        for key, source in sources.items()
    ]


def _end(sources: Mapping[str, Source], name: str) -> Action:
    return Action(
        kind=FINISH,
        object=name,
        reason="the manifest is written last, then the set gets its name",
        params={"set": name, "members": list(sources)},
        identity=f"{FINISH}:{' '.join(sources)}",
    )


def _told(error: OSError, source: Source) -> TaskError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TaskError(f"the disk is full: no room for {source}; make room, or remove old sets")
    where = f": {error.filename}" if error.filename else ""
    return TaskError(f"cannot back up {source}: {error.strerror or error}{where}")


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    state = "" if resources.state_dir is None else str(resources.state_dir)
    owner = Owner(host=platform.node(), state=state)
    made_by = f"upkeeper {__version__}"
    file = None if resources.config_file is None else os.path.abspath(resources.config_file)  # noqa: PTH100
    return [
        Backup(
            config.backups,
            config.postgres,
            owner,
            made_by,
            lambda: resources.docker,
            neo4j=config.neo4j,
            config_file=file,
        ),
    ]
