"""Where the record is, as the config says, found without reading the whole of it where that says nothing."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from remediator import endpoints
from remediator.model.errors import EXIT_USAGE, ClientError
from remediator.statedir import StateDir

if TYPE_CHECKING:
    from remediator.config.config import Config

_SAYS = re.compile(rb"database_url_file|(?:^|[{,])\s*[\"']?host[\"']?\s*:", re.MULTILINE)
"""What a config has that names a database or the machine; another may have it too."""
_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")


@dataclass(frozen=True)
class Place:
    """The database: a SQLite file, or a URL that holds a secret. host: the name of this machine; None: its hostname.

    journal: what the chain is called, where the file is the journal of a host that shares its record; since: when it
    was taken up (Unix seconds).
    """

    database: Path | str
    host: str | None = None
    journal: str | None = None
    since: float | None = None

    @classmethod
    def of(cls, config: "Config", state: StateDir) -> "Place":
        """Raises ClientError when the file with the URL cannot be read, or holds none."""
        file = config.state.database_url_file
        return cls(state.database if file is None else url_in(Path(file)), config.host.name)

    @classmethod
    def find(cls, path: Path | None, state: StateDir) -> "Place":
        """By the config file, or without one by that of what runs on the state directory, or ran last.

        Raises ConfigError and ClientError.
        """
        path = path or endpoints.running_config(state.root)
        if path is None or not _may_say(path):
            return cls(state.database)
        from exporter.configfile.file import load
        from remediator.config.config import Config

        return cls.of(load(path, Config).value, state)


def _may_say(path: Path) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return False  # whoever reads the config says so
    return _SAYS.search(text) is not None


def url_in(file: Path) -> str:
    """The URL of a database that a file holds. Raises ClientError."""
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise ClientError(f"cannot read the URL of the database: {file}: {error}", EXIT_USAGE) from error
    if len(text.split()) != 1 or not text.startswith(_SCHEMES):
        raise ClientError(
            f"{file} must hold one line, a URL like postgresql://upkeeper:PASSWORD@db.example.org/upkeeper", EXIT_USAGE
        )
    return text
