"""disaster-recovery-test: one action a set, since a sandbox does not outlive it. What it shows is kept in the set."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, JsonValue

from exporter.backups import proofs, results
from exporter.backups.manifest import Manifest
from exporter.backups.proofs import Shown
from exporter.backups.restic import ResticFailed, read_env_file
from exporter.backups.sets import figures
from exporter.base.text import counted
from exporter.base.units import format_duration
from exporter.configfile.section import regex_search
from exporter.docker.engine import DockerEngine
from exporter.inventory.backups import Backup as Series
from exporter.inventory.drills import Drill, DrillProof, DrillService
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.sandbox.guest import Guest, Limits, Said
from remediator.sandbox.sandbox import GuestFailed, Sandbox, SandboxEnded, last_line, sandbox
from remediator.tasks.disaster_recovery.facts import DAY, DISASTER_RECOVERY_TEST
from remediator.tasks.disaster_recovery.graphs import (
    checked,
    counted_in,
    fill,
    graph_part,
    is_dumped,
    load_dumps,
    login,
)
from remediator.tasks.disaster_recovery.order import no_longer_needed
from remediator.tasks.disaster_recovery.proofs.proof import NotProven
from remediator.tasks.disaster_recovery.proofs.registry import PROOFS
from remediator.tasks.disaster_recovery.rebuild import database_parts, lay, place, put_database, unpack, volume_parts
from remediator.tasks.resources import Resources
from remediator.tasks.restoring.checked import Damaged
from remediator.tasks.restoring.parts import chosen
from remediator.tasks.restoring.sets import LATEST, ChosenSet, choose, every
from remediator.tasks.worker import in_thread

DRILL = "drill"
_SET = "the-set"
"""The volume of the sandbox with the files of the set that are no archives."""


class Drilling(Parameters):
    """Which set."""

    set: str = Field(default=LATEST, description="name of a set; or latest, the newest complete one")


class DisasterRecoveryTest:
    """Drills series that have ``drill:``. state_dir: where the last result of each is kept too. clock: Unix seconds."""

    facts = DISASTER_RECOVERY_TEST
    parameters = Drilling
    action_timeout = DAY

    def __init__(
        self,
        backups: Sequence[Series],
        engine: Callable[[], DockerEngine],
        state_dir: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._series = {each.name: (each, each.drill) for each in backups if each.path and each.drill}
        self._engine = engine
        self._state_dir = state_dir
        self._clock = clock

    async def targets(self) -> Sequence[str]:
        return list(self._series)

    async def measure(self, target: str) -> Measurement:
        """Breached: a set was drilled, and could not be used."""
        series, _ = self._one(target)
        sets = await in_thread(lambda _: every(series, self._clock))
        found = figures(sets)
        failed, proven = found.failed.get("drilled", 0), found.proven.get("drilled")
        looked = max((each.proofs["drilled"].finished for each in sets if "drilled" in each.proofs), default=0.0)
        detail = "no set was drilled yet"
        if proven is not None:
            detail = f"the newest drilled set is {format_duration(max(0.0, round(self._clock() - proven)))} old"
        if failed:
            detail += f"; {counted(failed, 'set')} could not be used"
        return Measurement(breached=failed > 0, values={"drilled_timestamp_seconds": looked}, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Raises TaskError where the set must not be used, or does not hold what the drill needs."""
        series, drill = self._one(target)
        asked = Drilling.model_validate(dict(params))
        found = await in_thread(lambda _: choose(series, asked.set, self._clock))
        volumes = volume_parts(found, drill.services)
        databases = [str(part) for service in drill.services for part in database_parts(found, service).values()]
        if any(service.set_at is not None for service in drill.services):
            databases = [str(part) for part in chosen(found.manifest, ()) if not part.is_archive]
        graphs = [part for service in drill.services if (part := graph_part(found, service)) is not None]
        for service in drill.services:
            if service.neo4j is not None:
                login(service.name, _environment(service))
        comes_back = ", ".join(dict.fromkeys([*map(str, volumes.values()), *databases, *map(str, graphs)])) or "nothing"
        common: dict[str, JsonValue] = {"set": found.name, "manifest": found.digest}
        proving = [service.name for service in drill.services if _proves(service)]
        reason = f"{comes_back} restored into a sandbox, where {', '.join(proving)} must prove to be able to use it"
        notes = [f"{service.name} is started from {service.image}, and proves nothing." for service in drill.services
                 if not _proves(service)]  # fmt: skip
        return Plan(actions=[Action(kind=DRILL, object=found.name, reason=reason, params=common)], notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        series, drill = self._one(target)
        if action.kind != DRILL:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        found = await in_thread(lambda _: choose(series, str(action.params["set"]), self._clock))
        if found.digest != action.params["manifest"]:
            raise TaskError(f"{found.name} is another set than the one that was planned with")
        try:
            recovered = await self._drill(series, drill, found)
        except (NotProven, GuestFailed, Damaged) as error:
            await self._record(series, found, Shown(False, self._clock(), str(error)))
            raise TaskError(f"{found.name} could not be used: {error}") from error
        except SandboxEnded as error:  # which says nothing of the set
            raise TaskError(f"{found.name} could not be drilled: {error}") from error
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise TaskError(f"cannot drill {found.name}: {error.strerror or error}{where}") from error
        await self._record(series, found, Shown(True, self._clock(), str(recovered)), recovered)
        return Effect(state="done", detail=str(recovered))

    async def rehearse(self, target: str, replaced: Callable[[str], str]) -> str:
        """Drills the newest complete set with other images, of an update that is to come; what was shown, for people.

        Nothing is noted of the set. replaced: the image in place of one of the drill. Raises TaskError where an
        application cannot use its data with them, and where none of them is another one.
        """
        series, drill = self._one(target)
        services = [each.model_copy(update={"image": replaced(each.image)}) for each in drill.services]
        if services == drill.services:
            raise TaskError(f"the drill of {target} starts nothing from this image, so that nothing is rehearsed")
        found = await in_thread(lambda _: choose(series, LATEST, self._clock))
        try:
            detail = str(await self._drill(series, drill.model_copy(update={"services": services}), found))
        except (NotProven, SandboxEnded, Damaged) as error:
            raise TaskError(f"on {found.name}: {error}") from error
        except OSError as error:
            raise TaskError(f"cannot restore {found.name} into a sandbox: {error.strerror or error}") from error
        return f"{found.name}: {detail}"

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """A set was drilled."""
        key = "drilled_timestamp_seconds"
        return after.values[key] > before.values[key]

    async def _record(
        self, series: Series, found: ChosenSet, shown: Shown, recovered: "Recovered | None" = None
    ) -> None:
        """In the set, and as the last restore test of the series. Raises TaskError."""
        try:
            await in_thread(lambda _: proofs.record(found.directory, found.digest, "drilled", shown))
            if self._state_dir is not None:
                before = await in_thread(lambda _, at=self._state_dir: results.read(at, series.name))  # type: ignore[misc]
                result = results.Result(
                    found.name,
                    shown.success,
                    shown.finished,
                    shown.detail,
                    None if recovered is None else recovered.seconds,
                    None if recovered is None else max(0.0, recovered.data_age),
                )
                after = results.Results(before.verifications, result)
                await in_thread(lambda _, at=self._state_dir: results.write(at, series.name, after))  # type: ignore[misc]
        except (OSError, results.ResultsBroken) as error:
            raise TaskError(f"what the drill of {found.name} has shown cannot be noted: {error}") from error

    async def _drill(self, series: Series, drill: Drill, found: ChosenSet) -> "Recovered":
        """What was shown. Raises NotProven, SandboxEnded, Damaged, TaskError, OSError, UpkeeperError."""
        engine = self._engine()
        if engine.socket is None:
            raise TaskError("the engine is on another machine, and its volumes cannot be filled from here")
        limits = Limits(int(drill.memory), drill.cpus, drill.within, int(drill.spare))
        began, age = self._clock(), self._clock() - found.manifest.started
        purpose = f"{self.facts.name} {series.name} of {self._state_dir or 'no state'}"  # another's may be at work
        async with sandbox(engine, purpose, limits, clock=self._clock) as inside:
            said: list[str] = []
            await _fill(inside, drill, found)
            for service in drill.services:
                await inside.start(await _made_ready(inside, found, service))
                if service.ready:
                    await inside.until(service.name, service.ready, service.ready_within)
                for command in service.load:
                    await _load(inside, service, command)
                said += await _graph(inside, found, service)
                if drill.one_by_one:
                    said += [await _prove(inside, service, found.manifest)] if _asks(service) else []
                    for name in no_longer_needed(drill.services, service.name):
                        await inside.end(name)
            if not drill.one_by_one:
                proving = [each for each in drill.services if _asks(each)]
                said += [await _prove(inside, each, found.manifest) for each in proving]
            took = self._clock() - began
        return Recovered(said, took, age)

    def _one(self, target: str) -> tuple[Series, Drill]:
        try:
            return self._series[target]
        except KeyError:
            raise TaskError(f"no backup of the name {target!r} has path: and drill:") from None


@dataclass(frozen=True)
class Recovered:
    """How a drill went. said: what each has proven. seconds: until all worked. data_age: seconds, at its begin."""

    said: Sequence[str]
    seconds: float
    data_age: float

    def __str__(self) -> str:
        return (
            f"{', '.join(self.said)}; recovered in {format_duration(round(self.seconds, 1))}, "
            f"to what was there {format_duration(max(0, round(self.data_age)))} before"
        )


async def _volume(inside: Sandbox, name: str) -> Path:
    root = Path(await inside.volume(name))
    if not await in_thread(lambda _: os.access(root, os.W_OK | os.X_OK)):
        raise TaskError(f"{root}, where Docker keeps volumes, cannot be written to: a drill needs root")
    return root


async def _fill(inside: Sandbox, drill: Drill, found: ChosenSet) -> None:
    if any(service.set_at is not None for service in drill.services):
        whole = await _volume(inside, _SET)
        await in_thread(lambda stop: lay(found, whole, stop))
    made: dict[str, Path] = {}
    for name, part in volume_parts(found, drill.services).items():
        root = made[name] = await _volume(inside, f"of-{name}")
        await in_thread(lambda stop, part=part, root=root: unpack(found, part, root, stop))  # type: ignore[misc]
    for service in drill.services:
        for name, part in database_parts(found, service).items():
            volume, below = place(service, service.sqlite[name])
            await in_thread(
                lambda stop, part=part, root=made[volume], below=below: put_database(found, part, root, below, stop)  # type: ignore[misc]
            )


def _environment(service: DrillService) -> dict[str, str]:
    environment = dict(service.environment)
    if service.env_file is not None:
        try:
            environment = {**read_env_file(Path(service.env_file)), **environment}
        except ResticFailed as error:
            raise TaskError(str(error)) from None
    return environment


def _guest(service: DrillService) -> Guest:
    volumes = {f"of-{name}": at for name, at in service.volumes.items()}
    if service.set_at is not None:
        volumes[_SET] = service.set_at
    return Guest(service.name, service.image, service.command or None, _environment(service), volumes)


async def _made_ready(inside: Sandbox, found: ChosenSet, service: DrillService) -> Guest:
    """The guest of a service; of one that serves dumps of Neo4j once they are loaded."""
    part, guest = graph_part(found, service), _guest(service)
    if part is None or not is_dumped(part):
        return guest
    return await load_dumps(inside, found, part, service, guest)


async def _load(inside: Sandbox, service: DrillService, command: Sequence[str]) -> None:
    said = await inside.run(service.name, command, service.load_within)
    if said.status != 0:
        raise NotProven(f"{command[0]} in {service.name} cannot load the set: {last_line(said)}")


async def _graph(inside: Sandbox, found: ChosenSet, service: DrillService) -> list[str]:
    """What a Neo4j server has shown by taking what the set has of one."""
    part = graph_part(found, service)
    if part is None:
        return []
    environment = _environment(service)
    if is_dumped(part):
        held = await counted_in(inside, part, service, environment)
        return [f"{service.name} proved it: {held}, {await checked(inside, part, service, environment)}"]
    try:
        async with asyncio.timeout(service.load_within):
            held = await fill(inside, found, part, service, environment)
    except TimeoutError:
        within = format_duration(service.load_within)
        raise GuestFailed(f"{service.name} did not take the set within {within}") from None
    return [f"{service.name} proved it: {held}, {await checked(inside, part, service, environment)}"]


def _proves(service: DrillService) -> bool:
    return _asks(service) or service.neo4j is not None


def _asks(service: DrillService) -> bool:
    return bool(service.prove) or service.proof is not None


async def _prove(inside: Sandbox, service: DrillService, manifest: Manifest) -> str:
    if service.proof is not None:
        return await _prove_ready_made(inside, service, service.proof, manifest)
    said = await inside.run(service.name, service.prove, service.prove_within)
    if said.status != 0:
        raise NotProven(f"{service.name} cannot use its data: {last_line(said)} (exit status {said.status})")
    if service.expect is not None and not regex_search(service.expect)(said.output.encode()):
        raise NotProven(f"{service.name} does not say {service.expect!r}: {last_line(said)}")
    return f"{service.name} proved it: {last_line(said)}"


async def _prove_ready_made(inside: Sandbox, service: DrillService, settings: DrillProof, manifest: Manifest) -> str:
    """What it writes may be secret, so only its judge's words are told; of one that failed, what is no answer."""
    proof = PROOFS[settings.application]
    said = await inside.run(service.name, proof.command(settings), service.prove_within)
    if said.status != 0:
        lines = [line for line in said.output.splitlines() if '"data"' not in line]
        why = last_line(Said(said.status, "\n".join(lines)))
        raise NotProven(f"{service.name} cannot use its data: {why} (exit status {said.status})")
    try:
        return f"{service.name} proved it: {proof.judge(said.output, settings, manifest)}"
    except NotProven as error:
        raise NotProven(f"{service.name} cannot use its data: {error}") from None


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [DisasterRecoveryTest(config.backups, lambda: resources.docker, resources.state_dir)]
