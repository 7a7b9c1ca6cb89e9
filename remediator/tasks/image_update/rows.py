"""What image-update shows of a service."""

from typing import Literal

from remediator.model.task import Row


class ImageRow(Row):
    """A service and its image, as it is and as its registry has it. Times as their images tell them (RFC 3339)."""

    service: str
    image: str
    """What its Compose file asks for."""
    verdict: Literal["update", "current", "waits", "left-out", "unknown"]
    reason: str = ""
    running: str = ""
    """The digest that runs, or the image's id where the engine remembers none."""
    running_created: str = ""
    new: str = ""
    """The digest that the registry has."""
    new_created: str = ""
    new_bytes: int = 0
    major: str = ""
    """The major version that the new image crosses."""
    recreated_with: str = ""
    backup: str = ""
    newer_tags: str = ""
    newer_major_tags: str = ""
