"""Rollouts: a task on many hosts, wave after wave."""

from typing import Any

from typing_extensions import TypedDict

from remediator.model.rollout import MemberState, RolloutState
from remediator.model.shapes.callers import CallerView


class RolloutHostView(TypedDict):
    """A host of a rollout. ``domain``: its failure domain, null where it has none. ``wave`` counts from 1; 0 is
    left out from the start. ``reason``: why it is left out, failed, or has not gone on. ``run``: its last run.
    """

    host: str
    domain: str | None
    wave: int
    state: MemberState
    reason: str
    run: int | None
    began_at: str | None


class RolloutView(TypedDict):
    """A rollout, or what one would be: then ``id`` is null, and it begins with this ``plan_hash``.

    ``label``: of hosts, whose value is the failure domain; null where all hosts are one. ``wait``: seconds after each
    wave in which no new alert may fire; ``alerts``: whether that is looked at. ``wave``: the one whose turn it is, of
    ``waves``; 0 when all are over. ``reason``: why it stopped. ``hitch``: why it does not go on now. ``next_at``: when
    the wait after the last wave is over. ``driver``: the host that goes on with it; ``host``: where it was asked for.
    """

    id: int | None
    host: str
    task: str
    target: str
    params: dict[str, Any]
    caller: CallerView
    label: str | None
    wait: float
    alerts: bool
    state: RolloutState
    reason: str
    hitch: str
    wave: int
    waves: int
    asked_at: str
    next_at: str | None
    finished_at: str | None
    driver: str
    plan_hash: str
    hosts: list[RolloutHostView]
