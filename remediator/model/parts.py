"""The parts of a composite run as the record has them."""

from dataclasses import dataclass

from remediator.model.words import ActionState, Outcome, RunState


@dataclass(frozen=True)
class PartState:
    """One part, an action of the parent run: to run the task."""

    position: int
    task: str
    state: ActionState
    detail: str


@dataclass(frozen=True)
class Child:
    """A run that is a part of another one."""

    id: int
    task: str
    target: str
    state: RunState
    outcome: Outcome | None
    freed_bytes: int
