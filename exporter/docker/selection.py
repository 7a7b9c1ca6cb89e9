"""Which of Docker's objects docker-cleanup may remove.

``select`` is the only place that decides: the docker_usage collector sums it up, the docker-cleanup task plans by it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.base.units import format_duration
from exporter.docker import composelabels
from exporter.docker.objects import CacheRecord, Container, Image, Network, Usage
from exporter.docker.stopped_containers import is_stopped, sort_stopped
from exporter.inventory.docker import CleanupPolicy

OURS = "upkeeper"
"""Begins the names that Upkeeper itself gives to images, such as the former one of an update."""

Kind = Literal["containers", "networks", "images", "build_cache"]


@dataclass(frozen=True, slots=True)
class Removal:
    """An object that docker-cleanup may remove.

    Still removable later is what ``select`` returns again, with the same ``id`` and ``since``, from a new Usage.
    """

    kind: Kind
    id: str
    name: str
    """For people."""
    bytes: int
    """What its removal frees by itself, in bytes; layers that others share are not in it."""
    since: float
    """Unix seconds from which its age counts: stopped, pulled or built, made, last used."""
    reason: str


def select(usage: Usage, policy: CleanupPolicy, now: float, only: str | None = None) -> list[Removal]:
    """What may be removed now, in the order in which to remove it. Pure.

    Containers that stopped, then what only those used: networks of Compose with nobody attached, images without a tag,
    and where the policy says so those with one that were not used for long; then build cache that no image shares. Each
    older than its limit in ``policy``, or build cache beyond its size. Left alone: what has the keep label, whatever
    its value; what a remaining container uses or names, running or not; what could not be had again; everything whose
    age is not known; volumes.

    now: Unix seconds. only: the id of an object; everything else then counts as remaining.
    """
    containers = list(_stopped_containers(usage.containers, policy, now, only))
    gone = {removal.id for removal in containers}
    staying = [container for container in usage.containers if container.id not in gone]
    leaving = [container for container in usage.containers if container.id in gone]
    removals = [
        *containers,
        *_unused_networks(usage.networks, staying, gone, policy, now),
        *_dangling_images(usage, staying, leaving, policy, now),
        *_unused_images(usage, staying, policy, now),
        *_old_build_cache(usage.build_cache, policy, now),
    ]
    return removals if only is None else [removal for removal in removals if removal.id == only]


def _age(since: float | None, limit: float, now: float) -> str | None:
    """The age in words when it is known and reaches the limit, else None. A time in the future is not an age."""
    if since is None or since > now or now - since < limit:
        return None
    age = now - since
    unit = 3600 if age >= 86400 else 60 if age >= 3600 else 1
    return format_duration(age // unit * unit)


def _stopped_containers(
    containers: Sequence[Container], policy: CleanupPolicy, now: float, only: str | None
) -> Iterator[Removal]:
    old = [each for each in containers if only in (None, each.id) and _old_container(each, policy, now)]
    for container in sort_stopped(containers, old).leaving:
        found = _old_container(container, policy, now)
        assert found is not None
        since, reason = found
        yield Removal("containers", container.id, container.name, container.bytes, since, reason)


def _old_container(container: Container, policy: CleanupPolicy, now: float) -> tuple[float, str] | None:
    """Since when it is stopped, and that in words; None for one that is not, is young, or has the keep label."""
    if not is_stopped(container, policy.keep_label):
        return None
    never_ran = container.state == "created"
    since = container.created if never_ran else container.finished
    age = _age(since, policy.containers_min_age, now)
    if since is None or age is None:
        return None
    return since, f"made {age} ago and never started" if never_ran else f"stopped {age} ago"


def _unused_networks(
    networks: Sequence[Network], staying: Sequence[Container], gone: set[str], policy: CleanupPolicy, now: float
) -> Iterator[Removal]:
    used = frozenset[str]().union(*(container.networks for container in staying))
    for network in networks:
        if network.builtin or policy.keep_label in network.labels or not made_by_compose(network):
            continue
        if network.id in used or network.name in used or not network.attached <= gone:
            continue
        age = _age(network.created, policy.networks_min_age, now)
        if network.created is not None and age is not None:
            yield Removal(
                "networks", network.id, network.name, 0, network.created, f"made {age} ago, used by no container"
            )


def made_by_compose(network: Network) -> bool:
    """Whether Compose made it, and makes it again. Any other may be the external network of a stack that is down."""
    return composelabels.NETWORK in network.labels and composelabels.PROJECT in network.labels


def _dangling_images(
    usage: Usage, staying: Sequence[Container], leaving: Sequence[Container], policy: CleanupPolicy, now: float
) -> Iterator[Removal]:
    released = Counter(container.image_id for container in leaving)
    for image in usage.images:
        if image.tags or policy.keep_label in image.labels or image.users > released[image.id]:
            continue
        if not image.origin or is_pinned(image, usage, staying):
            continue
        since = image.created if image.pulled is None else image.pulled
        age = _age(since, policy.images_min_age, now)
        if since is not None and age is not None:
            name = image.digests[0] if image.digests else image.id.removeprefix("sha256:")[:12]
            unique = max(0, image.bytes - image.shared_bytes)
            yield Removal("images", image.id, name, unique, since, f"without a tag, {image.origin} {age} ago")


def _unused_images(usage: Usage, staying: Sequence[Container], policy: CleanupPolicy, now: float) -> Iterator[Removal]:
    """Those with a tag that no container has, and that none has had for long."""
    limit = policy.tagged_images_min_unused
    if limit is None:
        return
    newest = _newest_of_repositories(usage.images, policy.keep_last)
    for image in usage.images:
        if not image.tags or image.users or policy.keep_label in image.labels or image.id in newest:
            continue
        if not image.origin or is_named(image, usage, staying) or any(tag.startswith(OURS) for tag in image.tags):
            continue
        arrived = image.created if image.pulled is None else image.pulled
        if arrived is None:
            continue
        since = arrived if usage.uses is None else max(arrived, usage.uses.last(image.id))
        age = _age(since, limit, now)
        if age is not None:
            unique = max(0, image.bytes - image.shared_bytes)
            reason = _use_in_words(image, usage, age)
            yield Removal("images", image.id, ", ".join(image.tags), unique, since, reason)


def _use_in_words(image: Image, usage: Usage, age: str) -> str:
    if usage.uses is None:
        return f"{image.origin} {age} ago; when it was last used is not known, and no container has it now"
    if image.id in usage.uses.used:
        return f"last used by a container {age} ago"
    return f"not used for {age}, as far back as is known ({image.origin}, or looked at, since then)"


def _newest_of_repositories(images: Sequence[Image], count: int) -> set[str]:
    """Ids of the newest of each repository, by when they were built, whether in use or not."""
    by_repository: dict[str, list[Image]] = {}
    for image in images:
        names = {tag.rpartition(":")[0] for tag in image.tags} | {each.partition("@")[0] for each in image.digests}
        for name in names:
            by_repository.setdefault(name, []).append(image)
    kept: set[str] = set()
    for found in by_repository.values():
        found.sort(key=lambda image: image.created or 0.0, reverse=True)
        kept |= {image.id for image in found[:count]}
    return kept


def is_named(image: Image, usage: Usage, containers: Sequence[Container]) -> bool:
    """Whether one of the containers or a Compose file names an image by a tag, its digest or id, or may."""
    if usage.unread_projects or is_pinned(image, usage, containers):
        return True
    names = {name for container in containers for name in container.images}
    return bool(set(image.tags) & (usage.named_images | names))


def is_pinned(image: Image, usage: Usage, containers: Sequence[Container]) -> bool:
    """Whether one of the containers or a Compose file names an image by its digest or id, or may.

    On the classic store an image that was pulled by its digest has no tag.
    """
    digests = {digest.rpartition("@")[2].removeprefix("sha256:") for digest in (*image.digests, image.id)}
    names = [name for container in containers for name in container.images]
    if digests & usage.named_digests or any(digest in name for name in names for digest in digests):
        return True
    return bool(image.digests and usage.unread_projects)


def _old_build_cache(records: Sequence[CacheRecord], policy: CleanupPolicy, now: float) -> Iterator[Removal]:
    """A record stays as long as one that builds upon it stays: the engine could not remove it either."""
    found: dict[str, tuple[float, str]] = {}
    for record in records:
        since = record.created if record.last_used is None else record.last_used
        age = _age(since, policy.build_cache_min_age, now)
        if since is not None and age is not None and not record.in_use and not record.shared:
            found[record.id] = (since, age)
    by_id = {record.id: record for record in records}
    found |= _beyond(records, found, policy, now)
    needed = [parent for record in records if record.id not in found for parent in record.parents]
    while needed:
        key = needed.pop()
        if found.pop(key, None) is not None:
            needed.extend(by_id[key].parents)
    for record in records:
        if record.id in found:
            since, age = found[record.id]
            name = record.description or record.id
            yield Removal("build_cache", record.id, name, record.bytes, since, f"last used {age} ago")


def _beyond(
    records: Sequence[CacheRecord], old: Mapping[str, object], policy: CleanupPolicy, now: float
) -> dict[str, tuple[float, str]]:
    """The longest unused of what would stay, as long as that is more than it may be; only what was used before now."""
    if policy.build_cache_max_bytes is None:
        return {}
    staying = [record for record in records if record.id not in old and not record.shared]
    excess = sum(record.bytes for record in staying) - int(policy.build_cache_max_bytes)
    found: dict[str, tuple[float, str]] = {}
    for record in sorted(staying, key=lambda record: (record.last_used or record.created or now, record.id)):
        if excess <= 0:
            break
        since = record.created if record.last_used is None else record.last_used
        age = _age(since, 0.0, now)
        if since is not None and age is not None and not record.in_use:
            found[record.id] = (since, age)
            excess -= record.bytes
    return found
