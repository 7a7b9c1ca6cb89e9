"""When images came to this machine, which Docker's classic store writes down nowhere but in the times of its own files.

Without it, an image that was built in 2020 and pulled a moment ago is old, and so is the one that this pull replaced.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

_LOCAL_URLS = ("", "http+docker://localhost")
"""Base URLs of EngineReader and APIClient for a socket of this machine."""


def untagged_since(client: "APIClient", images: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Unix seconds by id, of images without a tag that have a name in a registry. Blocks.

    Since then at most an image can have been without a tag: the newest arrival of itself and of the images that have
    tags of its repositories now. Empty where the engine's files are not at hand.

    images: as ``GET /images/json`` lists them; all of them.
    """
    untagged = [
        entry for entry in images if _repositories(entry, "RepoDigests") and not _repositories(entry, "RepoTags")
    ]
    if not untagged or client.base_url not in _LOCAL_URLS:
        return {}
    info = client.info()
    store = f"{info.get('DockerRootDir')}/image/{info.get('Driver')}/imagedb/content"
    holders: dict[str, float] = {}
    for entry in images:
        for repository in _repositories(entry, "RepoTags"):
            holders[repository] = max(holders.get(repository, 0.0), _arrived(store, entry) or 0.0)
    since: dict[str, float] = {}
    for entry in untagged:
        own = _arrived(store, entry)
        if own is not None:
            repositories = _repositories(entry, "RepoDigests")
            since[entry["Id"]] = max(own, *(holders.get(repository, 0.0) for repository in repositories))
    return since


def _repositories(entry: Mapping[str, Any], key: str) -> set[str]:
    """``host:5000/app`` of ``host:5000/app:1`` or ``host:5000/app@sha256:...``."""
    names = [str(name) for name in entry.get(key) or () if not str(name).startswith("<none>")]
    return {name.partition("@")[0] if "@" in name else name.rpartition(":")[0] for name in names}


def _arrived(store: str, entry: Mapping[str, Any]) -> float | None:
    """When the image's config was written into the store; the engine never writes it again."""
    try:
        return Path(store, entry["Id"].replace(":", "/", 1)).stat().st_mtime
    except OSError:
        return None
