"""Runs: what they measured, did and kept."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from remediator.model.shapes.callers import CallerView
from remediator.model.words import ActionState, ProgressUnit, RunState, Step, Trigger


class MeasurementView(TypedDict):
    """The state of a target at one moment, its figures in base units."""

    breached: bool
    values: dict[str, float]
    detail: str


class ActionView(TypedDict):
    """One action of a run. ``items`` is how many objects it is about: more than one where many go together."""

    position: int
    kind: str
    object: str
    reason: str
    estimated_bytes: int
    items: int
    state: ActionState
    detail: str
    freed_bytes: int
    started_at: str | None
    finished_at: str | None


class ArtefactView(TypedDict):
    """What a run has made for people. ``sha256`` is of its content."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    made_at: str


class ArtefactContent(TypedDict):
    """An artefact with its bytes, which the API sends as they are: the name and the type are in headers."""

    name: str
    media_type: str
    content: bytes


class HeldPageView(TypedDict):
    """That people were not told of a run's alert while it was healthy. ``held_until`` is when the silence in
    Alertmanager ends or ended unless renewed; null where there was none. ``ended_at`` is null while it is held
    back, and ``reason`` is why it no longer is, or never was.
    """

    held_until: str | None
    ended_at: str | None
    reason: str


class ChildView(TypedDict):
    """A run that is a part of another one."""

    id: int
    task: str
    target: str
    state: RunState
    outcome: str | None
    reason: str
    freed_bytes: int


class SectionView(TypedDict):
    """Evidence of one kind. ``problem``: why there is none; empty when there is."""

    name: str
    lines: list[str]
    problem: str


class StepView(TypedDict):
    """One step of a run. ``until``: when it was over, the same as ``at`` of what takes no time; null while it goes on.

    ``text`` says what it is about, ``state`` how it went, empty where that is no question. ``by`` is who did it, where
    that was a person or a remedy; ``run`` the run that is a part of this one.
    """

    step: Step
    at: str
    until: str | None
    text: str
    state: str
    by: CallerView | None
    run: int | None


class ProgressView(TypedDict):
    """How far the action at a position has come. ``total`` is null where it cannot be known before the end."""

    position: int
    done: int
    total: int | None
    unit: ProgressUnit
    doing: str


class RunView(TypedDict):
    """One run. ``outcome`` is null until ``state`` is ``finished``; ``alert_ended_at`` until its alert has resolved.

    ``remedy`` is the caller's name where ``trigger`` is ``alert``, and null for others. ``parent_id`` is the composite
    run that it is a part of. ``cancelled`` says which person has cancelled it and why: until it is ``finished``, the
    action that was under way is still done.

    Only a run that is asked for by its id has ``rows``, the table that its task left, with columns of the task's own,
    ``artefacts``, of a composite ``children``, and ``evidence``: how things were when it began, null where none was
    kept; ``page``, where people were not to be told of its alert at once; ``timeline``, its steps in their order; and
    ``progress`` while an action is under way on the host that is asked, and tells how far it is.
    """

    id: int
    host: str
    task: str
    target: str
    params: dict[str, Any]
    trigger: Trigger
    remedy: str | None
    caller: CallerView
    parent_id: int | None
    alert_id: int | None
    alert_ended_at: str | None
    dry_run: bool
    state: RunState
    outcome: str | None
    reason: str
    cancelled: str | None
    requested_at: str
    started_at: str | None
    finished_at: str | None
    before: MeasurementView | None
    after: MeasurementView | None
    notes: list[str]
    actions: list[ActionView]
    freed_bytes: int
    rows: NotRequired[list[dict[str, Any]]]
    children: NotRequired[list[ChildView]]
    artefacts: NotRequired[list[ArtefactView]]
    page: NotRequired[HeldPageView]
    progress: NotRequired[ProgressView]
    evidence: NotRequired[list[SectionView] | None]
    timeline: NotRequired[list[StepView]]
