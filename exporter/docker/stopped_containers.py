"""Which stopped containers are no longer used. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.docker import composelabels
from exporter.docker.objects import STOPPED, Container
from exporter.docker.references import refers
from exporter.docker.sandboxlabels import SANDBOX

_EMPTY_LAYER = 8192
"""Bytes that the containerd store counts for a container that wrote nothing: two directories."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Stopped containers that have no keep label: those that may go once they are old enough, and those that stay."""

    leaving: Sequence[Container]
    """Before each of them comes whatever names it."""
    staying: Sequence[tuple[Container, str]]
    """With the reason, in words that go on after the container's name."""


def sort_stopped(containers: Sequence[Container], candidates: Sequence[Container]) -> Stopped:
    """Which of the candidates may go.

    containers: all that there are. A container stays while one that stays names it: without it, that one could not be
    started again.
    """
    staying: dict[str, tuple[Container, str]] = {}
    for container in candidates:
        reason = _what_would_be_lost(container)
        if reason is not None:
            staying[container.id] = container, reason
    leaving = {container.id: container for container in candidates if container.id not in staying}
    others = [container for container in containers if container.id not in leaving]
    while others:
        user = others.pop()
        for container in [each for each in leaving.values() if names(user, each)]:
            staying[container.id] = container, f"{user.name} names it"
            others.append(leaving.pop(container.id))
    return Stopped(_users_first(list(leaving.values())), list(staying.values()))


def _what_would_be_lost(container: Container) -> str | None:
    """Why nothing could stand in for it: what ``docker compose up`` makes in its place would begin empty."""
    if container.anonymous_volumes:
        return "a new container would not find its anonymous volume"
    oneoff = container.labels.get(composelabels.ONEOFF, "").lower() == "true"
    if composelabels.SERVICE in container.labels and not oneoff and container.bytes > _EMPTY_LAYER:
        return "a service of a stack that is stopped, with what it wrote"
    return None


def _users_first(containers: list[Container]) -> list[Container]:
    """In their order, but each after those that name it. A circle is broken anywhere."""
    ordered: list[Container] = []
    while containers:
        users = [each for each in containers if each.uses]
        free = [each for each in containers if not any(names(other, each) for other in users)]
        taken = free or containers[:1]
        ordered += taken
        done = {each.id for each in taken}
        containers = [each for each in containers if each.id not in done]
    return ordered


def names(user: Container, other: Container) -> bool:
    """Whether one container names another."""
    return user.id != other.id and any(refers(reference, other.id, other.name) for reference in user.uses)


def is_stopped(container: Container, keep_label: str) -> bool:
    """Whether it has no process and will not get one by itself, and nobody wants to keep it: no sandbox either."""
    return container.state in STOPPED and not {keep_label, SANDBOX} & container.labels.keys()
