"""The state directory: where the remediator keeps its database, its credentials and what it starts."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from exporter.base.file_lock import AlreadyLocked, lock_file
from exporter.base.replace_file import create_file
from remediator.model.errors import EXIT_USAGE, ClientError

DRILL_TARGET = "upkeeper-drill"
"""Name of the log directory that ``upkeeper drill`` breaches."""


class StateDir:
    """Paths below one state directory. Constructing it touches nothing; ``ensure`` creates what is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "upkeeper.db"
        self.journal = root / "journal.db"
        self.lock = root / "lock"
        self.alertmanager_token = root / "tokens" / "alertmanager"
        self.operator_token = root / "tokens" / "operator"
        self.drill = root / "drill"

    @classmethod
    def find(cls, option: str | Path | None, env: Mapping[str, str]) -> "StateDir":
        """The directory that the option, else UPKEEPER_STATE_DIR, names; else the user's own (as root the system's)."""
        chosen = option or env.get("UPKEEPER_STATE_DIR")
        if chosen:
            return cls(Path(chosen).absolute())
        if os.geteuid() == 0:
            return cls(Path("/var/lib/upkeeper"))
        from platformdirs import user_state_path

        return cls(user_state_path("upkeeper"))

    def ensure(self) -> None:
        """Makes the directory (0700) and a random credential for each role (0600), keeping those that exist.

        Raises OSError when the directory cannot be made or written.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        tokens = self.alertmanager_token.parent
        tokens.mkdir(mode=0o700, exist_ok=True)
        for path in (self.alertmanager_token, self.operator_token):
            _make_credential(path)

    def hold(self) -> int:
        """Keeps a second engine from the same state until the returned descriptor is closed or the process ends.

        Raises ClientError if another one is running.
        """
        try:
            descriptor = lock_file(self.lock)
        except AlreadyLocked as other:
            who = f" (process {other})" if str(other).isdecimal() else ""
            message = f"another remediator is working on {self.root}{who}; stop it, or name another --state-dir"
            raise ClientError(message, EXIT_USAGE) from None
        with suppress(OSError):  # on a full disk it is not told who holds the lock, which is held all the same
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        return descriptor


def _make_credential(path: Path) -> None:
    """Creates the file whole or not at all: a start that was killed never leaves an empty credential."""
    if not path.exists():
        import secrets

        create_file(path, secrets.token_urlsafe(32).encode())


def read_token(path: Path) -> str:
    """A credential from its file, without the line end. Raises OSError, and ValueError when the file is empty."""
    token = path.read_text().strip()
    if not token:
        raise ValueError(f"{path} holds no token")
    return token
