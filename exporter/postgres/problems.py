"""What goes wrong with a server: a log line when it begins and one when it has ended, none in between."""

from collections.abc import Collection

import structlog

log = structlog.get_logger(__name__)

SERVER = "server"
"""The part that is the server as a whole."""

_DATABASE = "database "


def database_part(name: str) -> str:
    """The part that is one database."""
    return f"{_DATABASE}{name}"


class Problems:
    """Of one server, each of one part of what is measured."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._parts: set[str] = set()

    def begin(self, part: str, reason: str) -> None:
        """The part cannot be measured. The reason holds no secret."""
        if part not in self._parts:
            event = "postgres server unavailable" if part == SERVER else "postgres figures missing"
            log.warning(event, server=self._server, part=part, reason=reason)
        self._parts.add(part)

    def broke(self, part: str, error: Exception) -> None:
        """The part cannot be measured, and nobody foresaw why."""
        if part not in self._parts:
            log.error("reading a postgres server broke", server=self._server, part=part, exc_info=error)
        self._parts.add(part)

    def end(self, part: str) -> None:
        """The part was measured."""
        if part in self._parts:
            event = "postgres server answers again" if part == SERVER else "postgres figures are back"
            log.info(event, server=self._server, part=part)
        self._parts.discard(part)

    def keep_databases(self, names: Collection[str]) -> None:
        """Forgets the problems of databases that are no longer there."""
        kept = {database_part(name) for name in names}
        self._parts = {part for part in self._parts if part in kept or not part.startswith(_DATABASE)}
