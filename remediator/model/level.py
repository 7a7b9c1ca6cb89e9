"""How much a remedy may do by itself, where that is no longer what the config says."""

from dataclasses import dataclass

from remediator.config.autonomy import Autonomy
from remediator.model.caller import Caller


@dataclass(frozen=True)
class Level:
    """configured: what the config said when it was changed, and must still say for this to count. level: instead; None
    where somebody has given it back what the config says. at: Unix seconds. by: who, if it was a person.
    """

    remedy: str
    configured: Autonomy
    level: Autonomy | None
    reason: str
    at: float
    by: Caller | None = None


@dataclass(frozen=True)
class Track:
    """What a remedy's runs have shown since its level was last changed.

    runs: those that were to change something, and ended. failures: those of the last of them, in a row, that did not
    help. would_act: plans with something to do, of runs that only planned. estimates: how well estimates held, from 0
    to 1 (to the byte); None where no run had any.
    """

    runs: int = 0
    effective: int = 0
    failures: int = 0
    would_act: int = 0
    denied: int = 0
    estimates: float | None = None
