"""Our own file for a Compose project: which digest each of its services runs. Compose takes it after the user's files.

Beside it is noted for which image of the user's files each digest was chosen: once that is another, the digest no
longer counts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from exporter.base.replace_file import replace_file
from remediator.images.news import FOLDER
from remediator.model.task import TaskError

FILE = "compose.yml"


class Pin(BaseModel):
    """image: with its digest. made_for: what the user's files say."""

    image: str
    made_for: str


class _Pins(BaseModel):
    version: int = 1
    services: dict[str, Pin] = {}


@dataclass(frozen=True)
class Overrides:
    """The files of one project, below the state directory."""

    folder: Path

    @classmethod
    def of(cls, state_dir: Path, project: str) -> "Overrides":
        """project: a name that Compose allows, so that it is the name of a directory too."""
        return cls(state_dir / FOLDER / project)

    @property
    def file(self) -> Path:
        """What Compose is given."""
        return self.folder / FILE

    @property
    def _notes(self) -> Path:
        return self.folder / "pins.json"

    def read(self) -> dict[str, Pin]:
        """The digests by service. Blocks. Raises TaskError."""
        try:
            return _Pins.model_validate_json(self._notes.read_bytes()).services
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise TaskError(f"{self._notes} cannot be read: {error}") from None

    def write(self, pins: Mapping[str, Pin], version: str = "") -> None:
        """Puts these in place of what is there. Blocks. Raises TaskError.

        version: of the user's files where Compose 1 reads them, which wants the same in all.
        """
        document: dict[str, object] = {"version": version} if version else {}
        document["services"] = {name: {"image": pin.image} for name, pin in sorted(pins.items())}
        head = "# Written by Upkeeper (image-update): which image each service runs. Changed by it alone.\n"
        try:
            if not pins:
                self._notes.unlink(missing_ok=True)
                self.file.unlink(missing_ok=True)
                return
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            text = f"{head}{json.dumps(document, indent=2)}\n"
            replace_file(self.file, text.encode(), mode=0o644, durable=True)
            notes = _Pins(services=dict(pins)).model_dump_json(indent=1)
            replace_file(self._notes, f"{notes}\n".encode(), durable=True)
        except OSError as error:
            raise TaskError(f"cannot write {self.file}: {error.strerror or error}") from error


def in_force(pins: Mapping[str, Pin], written: Mapping[str, str]) -> dict[str, Pin]:
    """Those that still count: the user's files say what they said. written: the image of each service there. Pure."""
    return {name: pin for name, pin in pins.items() if written.get(name) == pin.made_for}
