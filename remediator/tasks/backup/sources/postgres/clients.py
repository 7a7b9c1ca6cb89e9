"""Which pg_dump is as new as a server: one that is older refuses it, or leaves out what it does not know."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from remediator.model.task import TaskError
from remediator.tasks.backup.piped import Piped

DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu keep every version that is installed, in ``VERSION/bin``."""
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")


@dataclass(frozen=True)
class Client:
    """The programs of one version in a directory."""

    directory: Path
    major: int
    version: str
    """As it says itself: ``15.18``."""

    def program(self, name: str) -> str:
        return str(self.directory / name)

    def run(self, command: Sequence[str], login: Mapping[str, str], stop: threading.Event) -> Piped:
        """login: environment of libpq. Raises OSError."""
        return Piped(command, stop, environment=login)


def installed() -> list[Client]:
    """Those on PATH and below Debian's directory. Blocks."""
    on_path = shutil.which("pg_dump")
    directories = [Path(on_path).parent] if on_path else []
    directories += sorted(DEBIAN.glob("*/bin"))
    return [client for directory in dict.fromkeys(directories) for client in _in(directory)]


def best(clients: Sequence[Client], major: int) -> Client:
    """Of the server's own version, else the next newer one. Pure. Raises TaskError where all are older.

    Its archives are read by the same version's pg_restore and newer ones.
    """
    new_enough = [client for client in clients if client.major >= major]
    if new_enough:
        return min(new_enough, key=lambda client: client.major)
    found = ", ".join(client.version for client in clients)
    raise TaskError(
        f"no pg_dump for PostgreSQL {major} is installed ({f'only {found}' if found else 'there is none'}): "
        f"install the package postgresql-client-{major}"
    )


def _in(directory: Path) -> Iterable[Client]:
    program = directory / "pg_dump"
    if not program.exists():
        return
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=30, cwd="/"
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return
    found = _VERSION.search(said)
    if found:
        yield Client(directory, int(found[1]), f"{found[1]}{found[2]}")
