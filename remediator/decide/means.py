"""What whoever decides about runs, or does them, works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from remediator.decide.remedies import Remedies
from remediator.guards.judge import Judge
from remediator.model.task import Task
from remediator.store.database import Database


@dataclass(frozen=True)
class Means:
    """One remediator's. tasks, remedies: those in force, which a reload of the config changes. clock: Unix seconds."""

    database: Database
    judge: Judge
    tasks: Callable[[], Mapping[str, Task]]
    remedies: Callable[[], Remedies]
    clock: Callable[[], float]
