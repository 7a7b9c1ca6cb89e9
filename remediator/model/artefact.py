"""What a run makes for people: a report, an archive."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Made(BaseModel):
    """What a plan or an action has made, to be kept with its run.

    name: of a file, plain: letters, digits, dot, underscore, hyphen. content: at most store.artefacts.MAX_BYTES.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    media_type: str
    content: bytes


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
