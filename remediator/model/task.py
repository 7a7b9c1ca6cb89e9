"""The Task protocol: what a maintenance task is, and the values it hands to the engine.

A task is two functions and its facts. ``plan`` reads only and lists actions; ``apply`` does one of them.
Applying does what the plan said or less, never more: an object that changed since the plan is left alone.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializeAsAny

from exporter.base.errors import UpkeeperError
from remediator.model.artefact import Made
from remediator.model.taskfacts import TaskFacts

LOOK_TIMEOUT = 300.0
"""Seconds that measuring or planning may take."""


class Parameters(BaseModel):
    """A task's parameters beside its target, each a field with type and default; a task without any uses this class.

    A command gives them as texts, which are read as the field's type.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


CONTAINER_TARGET = "container:"
"""Begins the name of a target that is the container of that name, where a service has the same name."""
CONTAINER_LABELS = frozenset({"container", "container_name", "name"})
"""Labels of alerts that name a container: ours, and those of cAdvisor and of other exporters."""


Params = Mapping[str, JsonValue]
"""What a run gives as its task's parameters, by name, as it is in the record; ``parameters`` reads it."""
NO_PARAMS: Params = {}


class _Record(BaseModel):
    """Values that go into the record and through the durable engine: plain JSON, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Measurement(_Record):
    """What the exporter's own collector code says of a target at one moment."""

    breached: bool
    """The target is over its limit, or unhealthy: the state that its alert fires on."""
    values: Mapping[str, float] = {}
    """Named figures in base units, for example ``allocated_bytes``."""
    detail: str = ""
    """One line for people."""


class Action(_Record):
    """One idempotent step of a plan."""

    kind: str
    """What is done: ``rotate``, ``delete``, ``remove-image``, ``restart`` ..."""
    object: str
    """What it is done to, for people: a file name, an image, a container. Not escaped: escape it where it is shown."""
    reason: str
    """Why this object was chosen, for people."""
    estimated_bytes: int = 0
    """Bytes that the action should free, as far as the plan can tell."""
    items: int = 1
    """How many objects it is about, at most: more than one where many go together for one reason."""
    params: Mapping[str, JsonValue] = Field(default_factory=dict)
    """What ``apply`` needs to find exactly this object again and to notice that it changed."""
    identity: str | None = None
    """What makes it the same action in another plan, in place of object and parameters. Only for those that hold what
    is new in each plan, such as the time or a temporary name: an approval covers another plan of the same actions.
    """


class Row(_Record):
    """A row of the table that a task may leave; the task derives its own from this, a field for each column."""


class Plan(_Record):
    """What a task would do to a target."""

    actions: Sequence[Action] = ()
    rows: Sequence[SerializeAsAny[Row]] = []
    """What the task has found, as a table: all of the task's own kind of row."""
    notes: Sequence[str] = ()
    """What the plan left alone and why, and what the user should know: one sentence each."""
    made: Sequence[Made] = Field(default=(), exclude=True)
    """What the task has found as files for people, kept with the run. They go nowhere that JSON goes."""
    asks: str = Field(default="", exclude=True)
    """Why a person must approve this plan where nobody has asked for the run by hand, whatever its remedy or job may
    do by itself; empty where none must for the plan's sake. The guard says it; it goes nowhere that JSON goes.
    """


class Effect(_Record):
    """What one action did."""

    state: Literal["done", "partial", "skipped"]
    """``skipped``: the object was gone or had changed since the plan, so it was left alone.

    ``partial``: of many objects some were done and some got stuck, as by a TaskError; the detail names those.
    """
    detail: str = ""
    freed_bytes: int = 0
    """Bytes that this action measurably freed."""
    made: Sequence[Made] = Field(default=(), exclude=True)
    """What it has made for people, kept with the run."""


class TaskError(UpkeeperError):
    """An action or plan failed for a reason a person can act on. The message is one sentence, shown as it is."""


@runtime_checkable
class ClearsUp(Protocol):
    """A task that has something to undo when a plan that it began to apply is not applied to its end."""

    async def clear_up(self, target: str, actions: Sequence[Action]) -> str:
        """Undoes what is left of a run that was cancelled or whose plan is too old; for people, what was done.

        Doing it a second time changes nothing. Raises as apply does.
        """
        ...


@runtime_checkable
class GoesTogether(Protocol):
    """A task some of whose actions do not wait for each other."""

    @property
    def most_together(self) -> int:
        """How many at most; one for none."""
        ...

    def together(self, actions: Sequence[Action]) -> int:
        """How many of these, the next of its plan, may be applied at the same time and in any order; one at least."""
        ...


class Task(Protocol):
    """A maintenance job with a name.

    Blocking calls belong into threads that end by themselves: the engine cancels ``apply`` after ``action_timeout``.
    Every method may raise UpkeeperError, as a TaskError or as what a client of a server raises, and TimeoutError. Any
    other exception is a bug, and is recorded as one.
    """

    @property
    def facts(self) -> TaskFacts: ...

    @property
    def action_timeout(self) -> float:
        """Seconds one action may take."""
        ...

    @property
    def parameters(self) -> type[Parameters]:
        """Its parameters beside the target."""
        ...

    async def targets(self) -> Sequence[str]:
        """Names of the configured or discovered things it can work on. An alert can select nothing else."""
        ...

    async def measure(self, target: str) -> Measurement:
        """The target's state now, read directly."""
        ...

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Lists what would be done. Changes nothing. params: checked to be those of ``parameters``."""
        ...

    async def apply(self, target: str, action: Action) -> Effect:
        """Does one action of a plan. Doing it a second time changes nothing and is no error."""
        ...

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Whether the run helped. Pure."""
        ...
