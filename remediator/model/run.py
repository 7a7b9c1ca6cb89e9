"""One execution of a task, and what it was asked for by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from remediator.model.caller import Caller
from remediator.model.task import Measurement
from remediator.model.words import RunState, Trigger


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run that is asked for.

    params: what the task's own parameters are set to. parent_id: the composite run that this one is a part of.
    """

    host: str
    task: str
    target: str
    caller: Caller
    dry_run: bool
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    alert_id: int | None = None
    parent_id: int | None = None
    via: str | None = None
    """The other host through which a person asked for it."""


@dataclass(frozen=True, kw_only=True)
class Run(Request):
    """One execution of a task, as far as it has come. Times are Unix seconds."""

    id: int
    state: RunState
    requested_at: float
    started_at: float | None
    planned_at: float | None
    before: Measurement | None
    after: Measurement | None
    attempt: int = 0
    """Which of the engine's workflows does it: each approval begins another."""
    cancelled: str | None = None
    """Which person has cancelled it and why: no other action of it begins."""
    by_hand: bool = False
    """A person asked for it, or for what it is a part of, and is there to see what comes of it."""

    @property
    def trigger(self) -> Trigger:
        return self.caller.trigger

    @property
    def remedy(self) -> str | None:
        return self.caller.remedy


@dataclass(frozen=True)
class ActionResult:
    """How one action ended."""

    state: Literal["done", "partial", "skipped", "failed"]
    detail: str
    freed_bytes: int = 0
