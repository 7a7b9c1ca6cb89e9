"""What is known about a task without making it: for completion, which has no time to import a task's libraries."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Disruption = Literal["none", "brief", "outage"]
"""``none``: nobody notices; ``brief``: a service is away for seconds; ``outage``: a service is away for longer."""

Shows = Literal["actions", "checks", "findings", "figures"]
"""What a plan or run of it is to people: a list of actions; or, of a task that only looks, of checks, of findings,
or of figures, whose columns it names.
"""

Reads = Literal["text", "amount", "ratio", "number"]
"""How a figure is written: as it is; in the unit that the row's ``unit`` names; as a percentage; as a number."""

Unattended = Literal["observe", "auto"]
"""``observe``: what it would do is recorded; ``auto``: it is done."""

PLAN_MAX_AGE = 3600.0
"""Seconds after which the rest of a plan is no longer applied: too much may have changed."""

Document = Mapping[str, Any]
"""A config file as its YAML has it, unchecked."""


class Figure(NamedTuple):
    """A column of a task's table for people. key: of the row."""

    key: str
    title: str
    reads: Reads = "text"


class Part(NamedTuple):
    """A task that a composite runs, on all its targets. needs: parts that must have gone well before."""

    task: str
    needs: Sequence[str] = ()


class TaskFacts(NamedTuple):
    """What a task is, for people and programs."""

    name: str
    summary: str
    """One line: what it does."""
    never: Sequence[str]
    """What it may never touch, each for people."""
    configured: Callable[[Document], Sequence[str]]
    """The targets that a config file names. The task itself may know of more."""
    disruption: Disruption = "none"
    shows: Shows = "actions"
    discovers: bool = False
    """It has targets that no config names and that come and go, such as containers."""
    always_approve: bool = False
    """A person must approve each of its plans, whoever asks for the run: it can destroy what nobody can bring back."""
    unattended: Unattended = "observe"
    """How the calendar runs it unless a job says otherwise: by itself only what is safe by construction."""
    all_or_nothing: bool = False
    """One action that failed fails the run: what the others did is worth nothing without it."""
    repeatable: bool = False
    """A person may run it as often as he likes: it only looks, or adds what he asks for, so that earlier runs are no
    reason to wait, those that failed neither.
    """
    plan_max_age: float = PLAN_MAX_AGE
    """Seconds after which the rest of its plan is no longer applied: longer for what takes hours by its nature."""
    figures: Sequence[Figure] = ()
    """The columns of its table, where it shows figures."""
    foretells: bool = False
    """Its rows are forecasts (remediator/forecast/row.py), the last of which are served as metrics."""
    parts: Sequence[Part] = ()
    """Of a composite: the tasks that it is a list of, in their order."""

    @property
    def only_looks(self) -> bool:
        """Whether its plans never have an action: what it finds is all that it is for."""
        return self.shows != "actions"
