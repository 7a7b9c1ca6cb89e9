"""Cases for guards without a database: what is known of one subject, and settings that are soon reached."""

from collections.abc import Sequence

from remediator.config.guards import Breaker, GuardSettings, Rate
from remediator.guards.guard import Case, Subject
from remediator.guards.history import History
from remediator.guards.judge import Gathered, Judgement
from remediator.guards.paused import Pauses
from remediator.guards.registry import GUARDS
from remediator.model.hold import PastRun, Pause

NOW = 1_000_000.0
SUBJECT = Subject("here", "t", "attic")
STRICT = GuardSettings(cooldown=60.0, rate=Rate(per_hour=3, per_day=5), breaker=Breaker(failures=3, reset_after=1000.0))
RELAXED = GuardSettings(cooldown=0.0, rate=Rate(per_hour=99, per_day=99), breaker=Breaker(failures=99))
NO_RUNS = History()
RECORDED = [guard for guard in GUARDS if guard.facts in (Pauses, History)]
"""The guards that judge by the record alone: those whose facts are known here."""
UNTIL_RESUMED = Pause(None, "x", 0.0, None)


def ran(ago: float, *, helped: bool = True) -> PastRun:
    """A run of a moment, so many seconds ago."""
    return PastRun(started_at=NOW - ago, finished_at=NOW - ago, helped=helped)


def case(settings: GuardSettings = STRICT, now: float = NOW, subject: Subject = SUBJECT) -> Case:
    return Case(subject, settings, now)


def gathered(history: History = NO_RUNS, pauses: Sequence[Pause] = (), subject: Subject = SUBJECT) -> Gathered:
    return Gathered({Pauses: {subject: Pauses(pauses)}, History: {subject: history}}, RECORDED)


def judged(history: History = NO_RUNS, pauses: Sequence[Pause] = (), asked: Case | None = None) -> Judgement:
    """What all guards say at NOW, or of another case."""
    return gathered(history, pauses).judge(asked or case())


def blocking(judgement: Judgement) -> list[str]:
    return [block.guard for block in judgement.blocks]
