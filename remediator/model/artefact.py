"""What a run makes for people: a report, an archive."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Artefact:
    """size: bytes. sha256: of its content, in hexadecimal digits. made_at: Unix seconds."""

    id: int
    run_id: int
    name: str
    media_type: str
    size: int
    sha256: str
    made_at: float
