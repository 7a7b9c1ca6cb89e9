"""A plan that waits for a person, what makes it that plan, and how another one differs from it. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from remediator.model.caller import Caller
from remediator.model.task import NO_PARAMS, Action
from remediator.model.words import ApprovalState


@dataclass(frozen=True)
class Approval:
    """A request that a person approves the plan of a run. Times are Unix seconds.

    why: why a person must approve, for people. decided_at, by, reason: when, by whom and why it ended; ``by`` is None
    where no person did that.
    """

    id: int
    run_id: int
    host: str
    task: str
    target: str
    plan_hash: str
    why: str
    state: ApprovalState
    asked_at: float
    expires_at: float
    decided_at: float | None = None
    by: Caller | None = None
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """How one action of a plan differs from those of the plan before it."""

    change: Literal["gone", "added", "changed"]
    kind: str
    object: str


def plan_hash(
    actions: Sequence[Action], *, host: str, task: str, target: str, params: Mapping[str, object] = NO_PARAMS
) -> str:
    """What an approval names: SHA-256, in hexadecimal digits, of the plan as canonical JSON.

    Canonical: an object of host, task, target, params (the run's own) and actions, a list of what ``_same`` has of each
    in the order of the plan; keys sorted, no blanks, ASCII with everything else escaped. So the same actions elsewhere
    are another plan. Reasons and estimates are not in it: they change while what would be done stays.
    """
    what = {"host": host, "task": task, "target": target, "params": dict(params)}
    return _digest({**what, "actions": [_same(one) for one in actions]})


def former_plan_hash(actions: Sequence[Action]) -> str:
    """The one of earlier releases, of the actions alone: what waited or was approved by then is known by it.

    Where it counts, the run is known too, so that it stands for no other. None that is stored anew is one.
    """
    return _digest([_same(one) for one in actions])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _same(action: Action) -> Mapping[str, object]:
    """What is the same in the same action of another plan: what is done, to what, and to how many objects."""
    if action.identity is not None:
        return {"kind": action.kind, "identity": action.identity, "items": action.items}
    return {"kind": action.kind, "object": action.object, "items": action.items, "params": dict(action.params)}


def changes(before: Sequence[Action], after: Sequence[Action]) -> Sequence[Change]:
    """What a plan no longer does, does differently, and does beside. Empty where only the order differs."""
    old, new = _by_object(before), _by_object(after)
    gone = [Change("gone", one.kind, one.object) for key, one in old.items() if key not in new]
    changed = [
        Change("changed", one.kind, one.object)
        for key, one in new.items()
        if key in old and _same(old[key]) != _same(one)
    ]
    added = [Change("added", one.kind, one.object) for key, one in new.items() if key not in old]
    return [*gone, *changed, *added]


def _by_object(actions: Sequence[Action]) -> Mapping[tuple[str, str, int], Action]:
    """By what is done to what; where a plan does the same twice, by the number of the time too."""
    found: dict[tuple[str, str, int], Action] = {}
    for one in actions:
        what = one.identity if one.identity is not None else one.object
        number = 0
        while (one.kind, what, number) in found:
            number += 1
        found[one.kind, what, number] = one
    return found
