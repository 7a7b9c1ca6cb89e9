"""A service and what is new for it, as people see it. Pure."""

from collections.abc import Sequence
from typing import Literal

from remediator.tasks.image_update.choose import Verdict
from remediator.tasks.image_update.look import Looked
from remediator.tasks.image_update.rows import ImageRow

_SHOWN_TAGS = 3


def few(tags: Sequence[str]) -> str:
    """The first of some tags, and how many more there are. Pure."""
    more = f" and {len(tags) - _SHOWN_TAGS} more" if len(tags) > _SHOWN_TAGS else ""
    return f"{', '.join(tags[:_SHOWN_TAGS])}{more}"


def row_of(target: str, looked: Looked, verdict: Verdict | None, hold: str, backup: str) -> ImageRow:
    """A service and its image as a row. hold: why it is not brought to the new one now. Pure."""
    candidate = looked.candidate
    word: Literal["update", "current", "waits", "left-out"] = "update"
    if looked.left_out:
        word = "left-out"
    elif verdict is None:
        word = "current"
    elif hold:
        word = "waits"
    shown = {}
    if candidate is not None:
        shown = {
            "running": next(iter(sorted(candidate.local.digests)), candidate.local.id),
            "running_created": candidate.local.created,
            "new": candidate.remote.digest,
            "new_created": candidate.remote.created,
        }
    return ImageRow(
        service=target, image=looked.image, verdict=word, reason=hold, backup=backup,
        major="" if verdict is None else verdict.major,
        new_bytes=0 if candidate is None else candidate.remote.bytes,
        recreated_with=", ".join(each.state.name for each in (*looked.sharers, *looked.restarted)),
        newer_tags=few(looked.newer), newer_major_tags=few(looked.newer_major), **shown,
    )  # fmt: skip
