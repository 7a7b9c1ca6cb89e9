"""By which tags the snapshots of a set are found. Pure."""

from collections.abc import Sequence

from exporter.backups.restic import MADE
from remediator.tasks.backup.copies.destination import OURS, series_tag

PART = "part-of-a-set"
_SET = "set="
_BYTES = "bytes="


def part_tags(backup: str, name: str) -> list[str]:
    """Of a file of a set."""
    return [OURS, series_tag(backup), PART, f"{_SET}{name}"]


def manifest_tags(backup: str, name: str, digest: str, size: int) -> list[str]:
    """Of the manifest, whose snapshot makes a set of what was written before. size: bytes of the files of the set."""
    return [*sets_tags(backup), f"{_SET}{name}", f"manifest={digest}", f"{_BYTES}{size}"]


def sets_tags(backup: str | None) -> list[str]:
    """What all manifests have, of a series or of any."""
    return [OURS, MADE, *([] if backup is None else [series_tag(backup)])]


def set_of(tags: Sequence[str]) -> str | None:
    """The name of the set that a snapshot belongs to."""
    return next((tag.removeprefix(_SET) for tag in tags if tag.startswith(_SET)), None)


def bytes_of(tags: Sequence[str]) -> int | None:
    """Bytes of the files of the set whose manifest it is."""
    found = next((tag.removeprefix(_BYTES) for tag in tags if tag.startswith(_BYTES)), "")
    return int(found) if found.isdigit() else None
