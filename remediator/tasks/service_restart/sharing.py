"""Containers that use the network, the processes or the shared memory of another one. Pure.

Such a container uses what the other one had at the time of its own start: once the other one is restarted, it is cut
off until it is restarted too, and unless the other one runs it cannot be started at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.docker.objects import timestamp
from exporter.docker.references import refers
from remediator.tasks.service_restart.container_state import ContainerState

_SHORT_ID = 12


@dataclass(frozen=True, slots=True)
class Sharer:
    """A running container that joined another one."""

    state: ContainerState
    parent: ContainerState
    what: str
    """What it shares, in words: its network, for one."""

    @property
    def cut_off(self) -> bool:
        """Whether its parent was started after it."""
        own, parents = timestamp(self.state.started_at), timestamp(self.parent.started_at)
        return self.parent.running and own is not None and parents is not None and own < parents


def sharers_of(parent: ContainerState, containers: Sequence[ContainerState]) -> list[Sharer]:
    """The running containers that joined this one, and those that joined them, each after its parent."""
    found: list[Sharer] = []
    parents, seen = [parent], {parent.id}
    while parents:
        above = parents.pop(0)
        for state in containers:
            what = [what for what, reference in state.joined.items() if refers(reference, above.id, above.name)]
            if what and state.running and state.id not in seen:
                seen.add(state.id)
                found.append(Sharer(state, above, what[0]))
                parents.append(state)
    return found


def why_unstartable(state: ContainerState, containers: Sequence[ContainerState]) -> str | None:
    """Why the engine would refuse to start a container once it is stopped; None if it would start."""
    for what, reference in state.joined.items():
        parent = next((each for each in containers if refers(reference, each.id, each.name)), None)
        if parent is None:
            gone = f"{state.name} has the {what} of a container that is gone ({reference[:_SHORT_ID]})"
            return f"{gone} and could not be started again: recreate it, as with docker compose up -d --force-recreate"
        if not parent.running:
            return f"{state.name} has the {what} of {parent.name}, which is {parent.status}: it would not start again"
    return None
