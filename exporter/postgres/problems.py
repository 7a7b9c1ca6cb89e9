"""What goes wrong with one PostgreSQL server, and with parts of what is measured of it."""

from collections.abc import Collection

import structlog

from exporter.base.complaints import Complaints

log = structlog.get_logger(__name__)

SERVER = "server"
"""The part that is the server as a whole."""

_DATABASE = "database "


def database_part(name: str) -> str:
    """The part that is one database."""
    return f"{_DATABASE}{name}"


class Problems:
    """Of one server, each of one part of what is measured. Reasons hold no secret.

    A reason that changes is not logged: it tells how much time was left, which differs from round to round.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._down = Complaints(
            log, "postgres server unavailable", "postgres server answers again", "part", changes=False, server=server
        )
        self._missing = Complaints(
            log, "postgres figures missing", "postgres figures are back", "part", changes=False, server=server
        )
        self._parts: set[str] = set()

    def note(self, part: str, reason: str) -> None:
        """How a part is now. reason: why it cannot be measured; empty when it was."""
        (self._down if part == SERVER else self._missing).note(part, reason)
        (self._parts.add if reason else self._parts.discard)(part)

    def broke(self, part: str, error: Exception) -> None:
        """A part cannot be measured, for a reason that is a mistake of ours."""
        if part not in self._parts:
            log.error("reading a postgres server broke", server=self._server, part=part, exc_info=error)
        self.note(part, f"unexpected {type(error).__name__}, see the log")

    def keep_databases(self, names: Collection[str]) -> None:
        """Forgets the problems of databases that no longer exist."""
        kept = {database_part(name) for name in names}
        self._parts = {part for part in self._parts if part in kept or not part.startswith(_DATABASE)}
        self._missing.keep(self._parts)
