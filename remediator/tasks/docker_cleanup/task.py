"""docker-cleanup: removes what nothing uses any more and is old enough, by the policy in ``docker.cleanup``."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import cast

from exporter.base.text import counted
from exporter.base.units import format_bytes, format_duration
from exporter.docker import image_uses
from exporter.docker.engine import DockerEngine
from exporter.docker.objects import Container, Usage, read_usage
from exporter.docker.selection import Kind, Removal, select
from exporter.docker.stopped_containers import names
from exporter.findings.pinned_digests import PinnedDigests
from exporter.inventory.docker import CleanupPolicy, Docker
from remediator.config.config import Config
from remediator.evidence.disk import disk_of
from remediator.model.evidence import Source
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.tasks.docker_cleanup.facts import DOCKER_CLEANUP, TARGET
from remediator.tasks.docker_cleanup.logs import notes_on_logs, unlimited_logs
from remediator.tasks.docker_cleanup.notes import notes_on
from remediator.tasks.docker_cleanup.removal import Surroundings, look, prune_build_cache, remove_unless_used
from remediator.tasks.resources import Resources

USAGE_SECONDS = 240.0
"""Time for the engine's disk usage: it walks every container and volume."""
AT_ONCE = 4
"""Removals that the engine is asked for at the same time."""
REMOVAL_SECONDS = 540.0
"""Time for one removal: large layers on a slow disk."""

_ACTIONS: dict[Kind, str] = {
    "containers": "remove-container",
    "networks": "remove-network",
    "images": "remove-image",
    "build_cache": "prune-build-cache",
}
_KINDS = {action: kind for kind, action in _ACTIONS.items()}


class DockerCleanup:
    """Removes stopped containers, unused networks, dangling images and old build cache.

    What may go is decided by ``exporter.docker.selection.select``, when planning and again before each removal.

    pinned: tells which images Compose files name.
    clock: Unix seconds. uses: the exporter's file of when images were used; None: nobody writes that down.
    """

    facts = DOCKER_CLEANUP
    parameters = Parameters
    action_timeout = REMOVAL_SECONDS + 60.0

    def __init__(
        self,
        engine: DockerEngine,
        docker: Docker,
        pinned: PinnedDigests | None = None,
        clock: Callable[[], float] = time.time,
        uses: Path | None = None,
    ) -> None:
        self._uses = uses
        self._around = Surroundings()
        self._engine = engine
        self._pinned = pinned if pinned is not None else PinnedDigests()
        self._policy = docker.cleanup
        self._max_bytes = int(docker.cleanable_max_bytes)
        self._clock = clock

    async def targets(self) -> Sequence[str]:
        return [TARGET]

    async def measure(self, target: str) -> Measurement:
        """Values: ``cleanable_bytes`` with its limit, ``cleanable_objects``, and ``total_bytes`` of all but volumes."""
        return measured(await self._usage(), self._policy, self._max_bytes, self._clock())

    def evidence(self, target: str) -> Sequence[Source]:
        if self._engine.socket is None:
            return []  # its disk is another machine's

        async def gather() -> Sequence[str]:
            information = await self._engine.call(lambda client: client.info())
            return await disk_of(str(information["DockerRootDir"])).gather()

        return [Source("disk", gather)]

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        self._around.forget()
        made = make_plan(await self._usage(), self._policy, self._clock())
        return made.model_copy(update={"notes": [*made.notes, *notes_on_logs(await unlimited_logs(self._engine))]})

    async def apply(self, target: str, action: Action) -> Effect:
        kind = _KINDS.get(action.kind)
        if kind is None:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        if kind == "build_cache":
            return await self._prune(action)
        return await self._remove(kind, action)

    most_together = 16

    def together(self, actions: Sequence[Action]) -> int:
        """Containers that no other of them names, or images: each is judged by itself, and takes its own time."""
        first = actions[0]
        alike = takewhile(lambda each: each.kind == first.kind and not each.params.get("in_turn"), actions)
        return max(1, len(list(alike))) if _KINDS.get(first.kind) in ("containers", "images") else 1

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Less space is taken up; if space was not the reason, fewer objects are left."""
        if after.values["total_bytes"] < before.values["total_bytes"]:
            return True
        return not before.breached and after.values["cleanable_objects"] < before.values["cleanable_objects"]

    async def _usage(self) -> Usage:
        await self._engine.call(lambda client: client.ping())  # a hung engine is noticed soon
        tagged = self._policy.tagged_images_min_unused is not None
        return await self._with_names(await read_usage(self._engine.patient(USAGE_SECONDS), tagged=tagged))

    async def _with_names(self, usage: Usage) -> Usage:
        """The usage with what is known beside the engine: which images are named, and when they were used."""
        usage = await self._pinned.add_to(usage)
        if self._uses is None:
            return usage
        try:
            return replace(usage, uses=await asyncio.to_thread(image_uses.read, self._uses))
        except OSError as error:
            raise TaskError(f"{self._uses}, which says when images were used, cannot be read: {error}") from error

    async def _remove(self, kind: Kind, action: Action) -> Effect:
        key = str(action.params["id"])
        usage = await self._engine.call(partial(look, kind=kind, key=key, around=self._around))
        if usage is not None:
            usage = await self._with_names(usage)
        changed = why_not(usage, self._policy, kind, key, cast(float, action.params["since"]), self._clock())
        if changed is not None:
            return Effect(state="skipped", detail=changed)
        done = await self._engine.patient(REMOVAL_SECONDS, AT_ONCE).call(
            partial(remove_unless_used, kind=kind, key=key, around=self._around)
        )
        if isinstance(done, str):
            return Effect(state="skipped", detail=done)
        return Effect(state="done", detail="removed", freed_bytes=done)

    async def _prune(self, action: Action) -> Effect:
        keys = [str(key) for key in cast(Sequence[str], action.params["ids"])]
        unused_for = self._clock() - cast(float, action.params["unused_since"])
        prune = partial(prune_build_cache, keys=keys, unused_for=unused_for)
        count, freed = await self._engine.patient(REMOVAL_SECONDS).call(prune)
        if count == 0:
            return Effect(state="skipped", detail="none of these records is left unused")
        return Effect(state="done", detail=f"removed {count} of {len(keys)} records", freed_bytes=freed)


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    pinned = PinnedDigests(config.configuration.compose_files)
    uses = None if resources.state_dir is None else image_uses.path_of(resources.state_dir)
    return [DockerCleanup(resources.docker, config.docker, pinned, uses=uses)]


def measured(usage: Usage, policy: CleanupPolicy, max_bytes: int, now: float) -> Measurement:
    """What could be freed by the policy against its limit. Pure."""
    removals = select(usage, policy, now)
    cleanable = sum(removal.bytes for removal in removals)
    return Measurement(
        breached=cleanable > max_bytes,
        values={
            "cleanable_bytes": cleanable,
            "cleanable_max_bytes": max_bytes,
            "cleanable_objects": len(removals),
            "total_bytes": usage.total_bytes,
        },
        detail=f"{format_bytes(cleanable)} to free of {format_bytes(max_bytes)} allowed",
    )


def make_plan(usage: Usage, policy: CleanupPolicy, now: float) -> Plan:
    """One action for each container, network and image, and one for all of the build cache. Pure."""
    removals = select(usage, policy, now)
    tied = tied_ids(usage.containers, removals)
    actions = [_removal_action(removal, tied) for removal in removals if removal.kind != "build_cache"]
    cache = _cache_action(usage, policy, removals, now)
    return Plan(actions=[*actions, cache] if cache else actions, notes=list(notes_on(usage, policy)))


def tied_ids(containers: Sequence[Container], removals: Sequence[Removal]) -> set[str]:
    """Ids of containers that go and name, or are named by, another one that goes: these wait for each other. Pure."""
    going = {removal.id for removal in removals if removal.kind == "containers"}
    leaving = [each for each in containers if each.id in going]
    pairs = [(user, other) for user in leaving if user.uses for other in leaving if names(user, other)]
    return {each.id for pair in pairs for each in pair}


def _removal_action(removal: Removal, tied: Collection[str]) -> Action:
    return Action(
        kind=_ACTIONS[removal.kind],
        object=removal.name,
        reason=_reason(removal),
        estimated_bytes=removal.bytes,
        params={"id": removal.id, "since": removal.since, **({"in_turn": True} if removal.id in tied else {})},
    )


def _reason(removal: Removal) -> str:
    """What a container wrote outside its volumes is lost for good, so the plan says so."""
    if removal.kind == "containers" and removal.bytes:
        return f"{removal.reason}; {format_bytes(removal.bytes)} that it wrote go with it"
    return removal.reason


def _cache_action(usage: Usage, policy: CleanupPolicy, removals: Sequence[Removal], now: float) -> Action | None:
    """All of the build cache at once: the engine removes records in the order in which they build upon each other.

    A record that shares its layer with an image frees nothing while the image stays, and the engine leaves it alone.
    Where images go first, such records are named too: the engine removes those whose image is gone by then.
    """
    records = usage.build_cache
    if any(removal.kind == "images" for removal in removals):
        records = tuple(replace(record, shared=False) for record in records)
    chosen = select(Usage(build_cache=records), policy, now)
    keys = [removal.id for removal in chosen]
    if not keys:
        return None
    limit = (
        f"not used for {format_duration(policy.build_cache_min_age)}" if policy.build_cache_min_age else "not in use"
    )
    return Action(
        kind=_ACTIONS["build_cache"],
        object=counted(len(keys), "build cache record"),
        reason=limit,
        estimated_bytes=sum(removal.bytes for removal in removals if removal.kind == "build_cache"),
        params={"ids": keys, "unused_since": max(now - policy.build_cache_min_age, *(each.since for each in chosen))},
        identity=blake2b("\n".join(sorted(keys)).encode()).hexdigest(),
    )


def why_not(usage: Usage | None, policy: CleanupPolicy, kind: Kind, key: str, since: float, now: float) -> str | None:
    """Why an object of a plan is not removed now; None when it is as it was planned. Pure.

    usage: as ``removal.look`` reads it. Every other container that is still there counts as a user, also a
    stopped one that the plan meant to remove.
    """
    if usage is None:
        return "already gone"
    if any((removal.kind, removal.since) == (kind, since) for removal in select(usage, policy, now, only=key)):
        return None
    return "changed since the plan: used, started, tagged or labelled now"
