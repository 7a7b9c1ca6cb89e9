"""When images were last used by a container: written down here, as the engine forgets it with the container."""

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.base.replace_file import replace_file

NAME = "image-uses.json"
_EVERY_SECONDS = 3600.0
"""How exactly it is written down."""
_MAX_IMAGES = 20_000


class ImageUses(BaseModel):
    """Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: float
    """When it was begun to write this down: of what was before, nothing is known."""
    used: dict[str, float] = {}
    """By an image's id, when a container of it was last there, running or not."""

    def last(self, image_id: str) -> float:
        """Since then at the earliest it is unused."""
        return self.used.get(image_id, self.since)


def path_of(state_dir: Path) -> Path:
    return state_dir / NAME


def merged(before: ImageUses | None, used: Collection[str], present: Collection[str], now: float) -> ImageUses:
    """What is known after a look at which images are used and which are there. Pure."""
    if before is None or before.since > now:  # the clock was wrong when it was begun
        before = ImageUses(since=now)
    kept = {key: min(at, now) for key, at in before.used.items() if key in present}
    kept |= dict.fromkeys((key for key in used if key in present), now)
    return ImageUses(since=before.since, used=dict(list(kept.items())[:_MAX_IMAGES]))


def is_news(before: ImageUses | None, after: ImageUses) -> bool:
    """Whether it is worth a write: something is used anew, or the times have become old. Pure."""
    if before is None or before.since != after.since or before.used.keys() != after.used.keys():
        return True
    return any(at - before.used[key] >= _EVERY_SECONDS for key, at in after.used.items())


def read(path: Path) -> ImageUses | None:
    """None where there is none, or none that can be made sense of: then it is begun anew. Blocks. Raises OSError."""
    try:
        return ImageUses.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write(path: Path, uses: ImageUses) -> None:
    """Blocks. Raises OSError."""
    replace_file(path, uses.model_dump_json().encode())
