"""What a guard is: its own facts, and a pure function that judges by them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from exporter.base.units import format_duration
from remediator.config.autonomy import Autonomy
from remediator.config.guards import GuardSettings
from remediator.model.hold import Hold
from remediator.model.task import Plan, Task
from remediator.peers.places import Peers
from remediator.store.database import Database

DEFAULTS = GuardSettings()


@dataclass(frozen=True)
class Subject:
    """What facts are gathered about: a task on a target of a host.

    observing: for a remedy that only observes. run_id: the run that is judged itself, which is not in its own way.
    by: the remedy or job whose settings it is judged by; settings: those, which say what needs to be known.
    """

    host: str
    task: str
    target: str
    observing: bool = False
    run_id: int | None = None
    by: str = ""
    settings: GuardSettings = field(default=DEFAULTS, compare=False)

    @classmethod
    def of(
        cls,
        host: str,
        task: str,
        target: str,
        settings: GuardSettings,
        *,
        observing: bool = False,
        run_id: int | None = None,
    ) -> Self:
        """A subject with the settings that it is judged by: a remedy's, a job's, or those of all others."""
        return cls(host, task, target, observing, run_id, getattr(settings, "name", ""), settings)

    @property
    def place(self) -> tuple[str, str, str]:
        """Host, task and target."""
        return self.host, self.task, self.target


@dataclass(frozen=True)
class Case:
    """What is judged. now: Unix seconds. plan: what the run would do, once that is known.

    dry_run: a person asked for a plan that is recorded and not applied, which few guards hold back. by_hand: a person
    asked for it. autonomy: what may be done without a person; of a run that a person asks for, all. always_approve,
    repeatable: as the task's facts have it. params: the run's own.
    """

    subject: Subject
    settings: GuardSettings
    now: float
    plan: Plan | None = None
    dry_run: bool = False
    by_hand: bool = False
    autonomy: Autonomy = "auto"
    always_approve: bool = False
    repeatable: bool = False
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def as_often_as_wanted(self) -> bool:
        """Whether earlier runs are no reason to wait: a person asks again for what only looks or adds."""
        return self.by_hand and self.repeatable


@dataclass(frozen=True)
class Sources:
    """Where facts come from.

    peers: None where none can be asked. tasks: those that there are. watchdog_lost: why nothing that comes can be
    relied on, as the always-firing alert no longer comes; empty while it does.
    """

    database: Database
    peers: Peers | None = None
    tasks: Callable[[], Mapping[str, Task]] = dict
    watchdog_lost: Callable[[], str] = str


class Facts(ABC):
    """What one or more guards judge by, about one subject.

    Guards that must agree with each other on what is under way and what has ended share one kind of facts: two kinds
    may be read at different moments.
    """

    @classmethod
    @abstractmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        """The facts about each subject, all at once. Whatever raises or is left out counts as unknown."""

    def with_run(self, about: Subject, started: Subject, run_id: int) -> Self:
        """These facts ``about`` a subject, now that a run of ``started`` has been stored. Most do not change by it."""
        return self


F = TypeVar("F", bound=Facts)


@dataclass(frozen=True)
class Guard(Generic[F]):
    """One reason that can block a run.

    blocks: why the run must not happen; None if it may. Pure.
    says: what it goes by where it does not block, for people. Pure.
    for_dry_runs: whether it also holds back a run that a person asked for only to see its plan.
    """

    name: str
    facts: type[F]
    blocks: Callable[[F, Case], Hold | None]
    says: Callable[[F, Case], str] = lambda facts, case: ""
    for_dry_runs: bool = False


def time_left(until: float, now: float) -> str:
    """The time until then, for people: at least a second."""
    return format_duration(max(1, round(until - now)))
