"""The steps of a run in their order, with when each was and how long it took. Pure.

Times are the API's: RFC 3339 in UTC to the millisecond, so that their text has their order.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from exporter.base.text import counted
from remediator.model.shapes.approvals import ApprovalView
from remediator.model.shapes.callers import CallerView
from remediator.model.shapes.runs import RunView, StepView
from remediator.model.words import Step

_Ask = tuple[ApprovalView, ApprovalView | None]
"""A request, and the next one of the same run."""
_BEFORE_A_PLAN = ("measuring", "planning")


def timeline(
    run: RunView,
    parts: Sequence[RunView],
    approvals: Sequence[ApprovalView],
    *,
    came_at: str | None,
    why: str,
    planned_at: str | None,
) -> list[StepView]:
    """parts: the runs that are parts of it. approvals: those that it asked for, oldest first. came_at: when its alert
    was first received. why: the decision that led to it. planned_at: when it was last planned.
    """
    began = run["started_at"]
    answered = [one for one in approvals if began is not None and one["decided_at"] and one["decided_at"] <= began]
    asks = list(zip_longest(approvals, approvals[1:]))
    steps = [
        *_asked_for(run, came_at, why),
        *_before(asks[: len(answered)]),
        *_planned(run, planned_at, again=bool(answered)),
        *_answers(asks[len(answered) :], run["finished_at"]),
        *_done(run, parts),
        *_closed(run),
    ]
    return sorted(steps, key=lambda step: step["at"])  # which leaves in their order what was at one time


def _step(
    step: Step,
    at: str,
    until: str | None,
    text: str = "",
    state: str = "",
    by: CallerView | None = None,
    run: int | None = None,
) -> StepView:
    return {"step": step, "at": at, "until": until, "text": text, "state": state, "by": by, "run": run}


def _asked_for(run: RunView, came_at: str | None, why: str) -> Iterator[StepView]:
    at = run["requested_at"]
    if run["trigger"] != "alert":
        yield _step("accepted", at, at, "asked for", by=run["caller"])
        return
    if came_at is not None:
        yield _step("accepted", came_at, came_at, "its alert came")
    yield _step("decided", at, at, why, by=run["caller"])


def _before(asks: Iterable[_Ask]) -> Iterator[StepView]:
    """A run begins anew once a person has answered, and is planned anew; of the plans before that requests tell."""
    for one, later in asks:
        yield _step("planned", one["asked_at"], one["asked_at"], counted(one["actions"], "action"))
        yield from _answers([(one, later)], None)


def _planned(run: RunView, planned_at: str | None, *, again: bool) -> Iterator[StepView]:
    began = run["started_at"]
    if began is None:
        return
    yield _step("begun", began, began)
    if planned_at is not None and planned_at >= began:
        text = counted(len(run["actions"]), "action")
        yield _step("planned", began, planned_at, f"again: {text}" if again else text)
    elif run["state"] in _BEFORE_A_PLAN:
        yield _step("planned", began, None)


def _answers(asks: Iterable[_Ask], ended_at: str | None) -> Iterator[StepView]:
    for one, later in asks:
        over = one["decided_at"] or (later["asked_at"] if later is not None else ended_at)
        yield _step("asked", one["asked_at"], over, one["why"])
        if one["state"] == "superseded":
            if one["decided_at"] is not None:
                yield _step("approved", one["decided_at"], one["decided_at"], one["reason"], by=one["by"])
            over = over if later is None else later["asked_at"]
            if over is not None:
                yield _step("superseded", over, over, "its plan has changed")
        elif one["state"] != "asked" and over is not None:
            yield _step(one["state"], over, over, one["reason"], by=one["by"])


def _done(run: RunView, parts: Sequence[RunView]) -> Iterator[StepView]:
    for action in run["actions"]:
        if action["started_at"] is not None:
            text = f"{action['kind']} {action['object']}"
            yield _step("action", action["started_at"], action["finished_at"], text, action["state"])
    for part in parts:
        text = f"{part['task']} on {part['target']}"
        began, state = part["started_at"] or part["requested_at"], part["outcome"] or part["state"]
        yield _step("part", began, part["finished_at"], text, state, run=part["id"])


def _closed(run: RunView) -> Iterator[StepView]:
    """A run ends in the moment in which what was measured again is stored."""
    ended = run["finished_at"]
    acted = [action["finished_at"] for action in run["actions"] if action["finished_at"] is not None]
    if run["state"] == "verifying" or (run["after"] is not None and ended is not None):
        began = max(acted, default=ended or run["started_at"] or run["requested_at"])
        yield _step("verified", began, ended, "" if run["after"] is None else run["after"]["detail"])
    if ended is not None:
        yield _step("ended", ended, ended, run["reason"], run["outcome"] or "")
