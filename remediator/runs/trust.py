"""After each run of a remedy: whether it may do more by itself now, or less."""

from typing import Protocol

import sqlalchemy as sa
import structlog

from remediator.config.autonomy import Autonomy
from remediator.decide.remedies import Remedies
from remediator.decide.trust import demotion, promotion
from remediator.model.level import Level
from remediator.model.run import Run
from remediator.statedir import DRILL_TARGET
from remediator.store import levels

log = structlog.get_logger(__name__)


class Levels(Protocol):
    """How much each remedy may do by itself."""

    def remedies(self) -> Remedies:
        """Those in force, each with the level that it has now."""

    def configured(self, remedy: str) -> Autonomy | None:
        """What the config says that a remedy may do; None where it has no such remedy."""

    def changed(self, level: Level) -> None:
        """A change has been stored."""


class Trust:
    """Promotes and demotes remedies of this host: what another one's config says of its own is not known here."""

    def __init__(self, known: Levels, host: str) -> None:
        self._known = known
        self._host = host

    def weigh(self, connection: sa.Connection, run: Run, now: float) -> Level | None:
        """In the transaction that closes a run: stores what follows for its remedy, if anything does."""
        if run.host != self._host:
            return None
        remedy = self._known.remedies().named(run.remedy)
        configured = None if remedy is None else self._known.configured(remedy.name)
        if remedy is None or configured is None or run.target == DRILL_TARGET:
            return None
        last = levels.all_of(connection, run.host).get(remedy.name)
        track = levels.track(connection, run.host, remedy.name, 0.0 if last is None else last.at)
        change = demotion(remedy, track)
        if change is None and remedy.trust.promote == "auto":
            change = promotion(remedy, track)
        if change is None:
            return None
        changed = Level(remedy.name, configured, change[0], change[1], now)
        levels.change(connection, run.host, changed, before=remedy.autonomy)
        return changed

    def tell(self, changed: Level | None) -> None:
        """After that transaction."""
        if changed is not None:
            log.warning(
                "remedy's autonomy changed", remedy=changed.remedy, autonomy=changed.level, reason=changed.reason
            )
            self._known.changed(changed)
