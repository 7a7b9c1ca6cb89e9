"""How much each remedy may do by itself now."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Literal

import sqlalchemy as sa
import structlog

from remediator.config.autonomy import Autonomy
from remediator.config.remedies import Remedy
from remediator.decide.remedies import Remedies
from remediator.decide.trust import promotion
from remediator.model.caller import Caller
from remediator.model.errors import conflict, not_found
from remediator.model.level import Level
from remediator.model.shapes.remedies import LevelView
from remediator.store import levels
from remediator.store.database import Database

log = structlog.get_logger(__name__)


class Trusting:
    """The levels of remedies, where they are no longer what the config says.

    configured: the remedies as the config has them. caller: who gives a level back. on_changed: called when a remedy
    may do more or less by now. ask: asks another host.
    """

    def __init__(
        self,
        database: Database,
        configured: Callable[[], Remedies],
        clock: Callable[[], float],
        caller: Callable[[], Caller],
        on_changed: Callable[[], None],
        ask: Callable[..., Awaitable[Any]],
    ) -> None:
        self._ask = ask
        self._database = database
        self._configured = configured
        self._clock = clock
        self._caller = caller
        self._on_changed = on_changed
        self._levels: Mapping[str, Level] = {}
        self._made: tuple[Remedies, Mapping[str, Level], Remedies] | None = None

    async def load(self) -> None:
        """Reads what is stored. Before that nothing may be decided."""
        self._levels = await self._database.read(partial(levels.all_of, host=self._database.host))

    def remedies(self) -> Remedies:
        """Those of the config, each with the level that it has by now."""
        configured = self._configured()
        if self._made is None or self._made[0] is not configured or self._made[1] is not self._levels:
            self._made = (configured, self._levels, configured.at(self._levels))
        return self._made[2]

    def configured(self, remedy: str) -> Autonomy | None:
        """What the config says that a remedy may do; None where it has no such remedy."""
        found = self._configured().named(remedy)
        return None if found is None else found.autonomy

    def level(self, remedy: str) -> Level | None:
        """The last change of a remedy, also where somebody has given it back what the config says."""
        return self._levels.get(remedy)

    def changed(self, level: Level) -> None:
        """A change has been stored."""
        self._levels = {**self._levels, level.remedy: level}
        self._on_changed()

    async def promote(self, remedy: str, autonomy: Literal["approve", "auto"], host: str | None = None) -> LevelView:
        """Lets a remedy do more by itself, as its track suggests and a person has looked at."""
        if host is not None and host != self._database.host:
            there: LevelView = await self._ask(host, "promote", remedy=remedy, autonomy=autonomy)
            return there
        now, configured = self._known(remedy)
        promoted = await self._database.write(
            partial(self._promoted, remedy=now, configured=configured, autonomy=autonomy, by=self._caller())
        )
        log.info("autonomy promoted by hand", remedy=remedy, autonomy=autonomy, reason=promoted.reason)
        self.changed(promoted)
        return {"remedy": remedy, "autonomy": autonomy}

    def _promoted(
        self, connection: sa.Connection, remedy: Remedy, configured: Autonomy, autonomy: Autonomy, by: Caller
    ) -> Level:
        """Judged by the track in the transaction that stores it: a run may have failed since somebody looked."""
        host = self._database.host
        last = levels.all_of(connection, host).get(remedy.name)
        track = levels.track(connection, host, remedy.name, 0.0 if last is None else last.at)
        shown = promotion(remedy, track)
        if shown is None:
            raise conflict(f"remedy {remedy.name} is at {remedy.autonomy}, and its track does not suggest more")
        if shown[0] != autonomy:
            raise conflict(f"remedy {remedy.name} is at {remedy.autonomy}, and its track suggests {shown[0]}")
        level = Level(remedy.name, configured, autonomy, f"promoted by hand: {shown[1]}", self._clock(), by)
        levels.change(connection, host, level, before=remedy.autonomy)
        return level

    def _known(self, remedy: str) -> tuple[Remedy, Autonomy]:
        """A remedy as it is now, and what the config says. Raises RequestError where there is no such remedy."""
        now, configured = self.remedies().named(remedy), self.configured(remedy)
        if now is None or configured is None:
            known = ", ".join(each.name for each in self.remedies().remedies) or "none"
            raise not_found(f"there is no remedy {remedy!r}; the remedies: {known}")
        return now, configured

    async def reset_autonomy(self, remedy: str, host: str | None = None) -> LevelView:
        """Gives a remedy back what the config says."""
        if host is not None and host != self._database.host:
            there: LevelView = await self._ask(host, "reset_autonomy", remedy=remedy)
            return there
        _, configured = self._known(remedy)
        given_back = await self._database.write(
            partial(self._given_back, remedy=remedy, configured=configured, by=self._caller())
        )
        log.info("autonomy reset by hand", remedy=remedy, autonomy=configured)
        self.changed(given_back)
        return {"remedy": remedy, "autonomy": configured}

    def _given_back(self, connection: sa.Connection, remedy: str, configured: Autonomy, by: Caller) -> Level:
        """Judged in the transaction that stores it: somebody else may have given it back since somebody looked."""
        host = self._database.host
        last = levels.all_of(connection, host).get(remedy)
        before = configured if last is None or last.configured != configured else last.level or configured
        if before == configured:
            raise not_found(f"remedy {remedy} has the autonomy that the config says: {configured}")
        level = Level(remedy, configured, None, "by hand", self._clock(), by)
        levels.change(connection, host, level, before=before)
        return level
