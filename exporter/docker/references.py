"""Which other containers a container cannot do without, by its own settings. Pure.

``HostConfig`` of https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerInspect
"""

from collections.abc import Iterator, Mapping
from typing import Any

_JOINED = "container:"
PROCESSES = "process namespace"
_MODES = {"NetworkMode": "network", "PidMode": PROCESSES, "IpcMode": "shared memory"}
_SHORT_ID = 12


def joined_containers(host: Mapping[str, Any]) -> Mapping[str, str]:
    """What it shares with another container, in words, and that container's id or name.

    The engine resolves these at each start: without the other one running, it does not start.
    """
    modes = {words: str(host.get(key) or "") for key, words in _MODES.items()}
    return {words: mode.removeprefix(_JOINED) for words, mode in modes.items() if mode.startswith(_JOINED)}


def used_containers(host: Mapping[str, Any]) -> frozenset[str]:
    """Ids or names of all containers that it names: joined ones, those whose volumes it takes over, and links."""
    return frozenset(reference for reference in _references(host) if reference)


def _references(host: Mapping[str, Any]) -> Iterator[str]:
    yield from joined_containers(host).values()
    for text in host.get("VolumesFrom") or ():
        yield text.partition(":")[0].removeprefix("/")
    for text in host.get("Links") or ():
        yield text.partition(":")[0].removeprefix("/")


def refers(reference: str, key: str, name: str) -> bool:
    """Whether a reference means the container of this id and name."""
    return reference in (key, name) or (len(reference) >= _SHORT_ID and key.startswith(reference))
