"""What docker-cleanup leaves alone, and why: a sentence each for the plan. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from exporter.base.text import counted, printable
from exporter.base.units import format_bytes
from exporter.docker.objects import Usage
from exporter.docker.selection import is_pinned, made_by_compose
from exporter.docker.stopped_containers import is_stopped, sort_stopped
from exporter.inventory.docker import CleanupPolicy

_NAMES = 5


def notes_on(usage: Usage, policy: CleanupPolicy) -> Iterator[str]:
    """One sentence for each reason."""
    labels = [thing.labels for things in (usage.containers, usage.networks, usage.images) for thing in things]
    kept = sum(policy.keep_label in each for each in labels)
    if kept:
        yield f"Kept by the label {policy.keep_label}: {counted(kept, 'object')}."
    stopped = [container for container in usage.containers if is_stopped(container, policy.keep_label)]
    staying = sort_stopped(usage.containers, stopped).staying
    for container, reason in staying[:_NAMES]:
        yield f"Container {printable(container.name)} stays: {reason}."
    if len(staying) > _NAMES:
        yield f"{len(staying) - _NAMES} more stopped containers stay for such reasons."
    foreign = [
        network.name
        for network in usage.networks
        if not (network.builtin or network.attached or policy.keep_label in network.labels or made_by_compose(network))
        and not any({network.id, network.name} & container.networks for container in usage.containers)
    ]
    if foreign:
        yield f"Networks that Compose did not make stay: {_some(foreign)}."
    yield from _image_notes(usage, policy)
    unused = [volume for volume in usage.volumes if not volume.used]
    if unused:
        size = format_bytes(sum(volume.bytes or 0 for volume in unused))
        yield f"Volumes are never touched: {len(unused)} unused, {size}."


def _image_notes(usage: Usage, policy: CleanupPolicy) -> Iterator[str]:
    loose = [image for image in usage.images if not (image.tags or image.users or policy.keep_label in image.labels)]
    unique = [image for image in loose if not image.origin]
    if unique:
        size = format_bytes(sum(max(0, image.bytes - image.shared_bytes) for image in unique))
        yield (
            f"Images without a tag stay that nothing tells how to pull or build again (imported, loaded or committed "
            f"here): {len(unique)}, {size}."
        )
    known = replace(usage, unread_projects=())
    pinned = [image for image in loose if image.origin and is_pinned(image, known, usage.containers)]
    if pinned:
        yield f"Images that something names by digest stay: {_some((*image.digests, image.id)[0] for image in pinned)}."
    if usage.unread_projects and any(image.digests for image in loose if image not in pinned):
        yield (
            f"Images with a digest stay, as these Compose projects could not be read and may name them: "
            f"{_some(usage.unread_projects)}."
        )


def _some(names: Iterable[str]) -> str:
    every = [printable(name) for name in names]
    rest = len(every) - _NAMES
    return ", ".join(every[:_NAMES]) + (f" and {rest} more" if rest > 0 else "")
