"""Alert + remedies + what was tried + guards -> what to do now, and when to look again. Pure: no I/O, and the time is
passed in.

The remedies that match an alert have their turns one after the other: first those that were not tried yet, in the order
of the config, then the one whose last try is longest ago. A run gets the time to end the alert before the next remedy
has its turn; where it left the breach standing and no other remedy matches, only the guards hold it back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from exporter.base.errors import UpkeeperError
from exporter.base.units import format_duration
from remediator.config.remedies import Remedy
from remediator.guards.in_flight import IN_FLIGHT
from remediator.guards.judge import UNKNOWN_FOR, Judgement
from remediator.model.decision import Decision, Look, Selection, Try
from remediator.model.hold import DAY, HOUR, Block, PastRun
from remediator.model.silence import INHIBITED
from remediator.model.task import CONTAINER_LABELS, CONTAINER_TARGET

OBSERVE_AGAIN = DAY
"""Seconds after which a remedy that only observes plans again for an alert that goes on firing: nothing has changed."""
AGAIN_SOONEST = 10.0
"""Seconds after which a remedy that had nothing to do looks again at the earliest: no guard counts such runs."""
LOOK_SOONEST = 1.0
"""Least seconds until an alert is looked at again, so that a jittering clock cannot cause a busy loop."""

SILENCED = "silenced"
"""What blocks in place of a guard while people are not told of an alert."""

DENIED_AGAIN = DAY
"""Seconds after which a remedy has another turn, for an alert that goes on firing, that a person has said no to."""

UNTOUCHED = frozenset({"nothing-to-do", "planned", "blocked", "denied", "cancelled"})
"""Outcomes of runs that changed nothing, so that no alert can end by them."""


class Asked(NamedTuple):
    """What the guards say of a selection. last: the last run on its target, of whichever remedy; None: unknown."""

    judgement: Judgement
    last: PastRun | None = None


class _Turn(NamedTuple):
    """What a remedy does in its turn, when to look again because of it, and whether the next has its turn too."""

    decision: Decision
    due_at: float | None = None
    next_too: bool = False


def decide(
    selections: Sequence[Selection],
    targets: Mapping[str, Collection[str] | UpkeeperError],
    ask: Callable[[Selection], Asked],
    tried: Sequence[Try],
    now: float,
    muted: str | None = None,
) -> Look:
    """What to do now about a firing alert.

    selections: what the remedies that match it select, in their order.
    targets: the names that each task can work on, or why they cannot be told.
    ask: what the guards say of a selection that has a target. It does no I/O.
    tried: the runs for this episode of the last day, newest first.
    muted: why people are not told of it now. Then only a remedy acts that is to act all the same.
    """
    if not selections:
        return Look([Decision("unmatched", "no remedy matches")])
    if muted is not None:
        acting = [one for one in selections if one.remedy.silenced == "run" and muted != INHIBITED]
        if not acting:
            reason = f"the alert is {muted}; remedy {selections[0].remedy.name} waits for the end of that"
            return Look([Decision("blocked", reason, selections[0], guard=SILENCED)])
        selections = acting
    if any(one.outcome is None for one in tried):
        return Look()
    settled = _settled_at(tried, selections)
    if now < settled:
        return Look(due_at=_soon(settled, now))
    decisions: list[Decision] = []
    dues: list[float] = []
    for selection in sorted(selections, key=lambda one: _last_tried(one.remedy, tried)):
        again = _again_at(selection.remedy, tried)
        if now < again:
            dues.append(again)
            continue
        turn = _turn(selection, targets, ask, tried, now)
        decisions.append(turn.decision)
        if turn.due_at is not None:
            dues.append(turn.due_at)
        if not turn.next_too:
            break
    return Look(decisions, min((_soon(due, now) for due in dues), default=None))


def _turn(
    selection: Selection,
    targets: Mapping[str, Collection[str] | UpkeeperError],
    ask: Callable[[Selection], Asked],
    tried: Sequence[Try],
    now: float,
) -> _Turn:
    remedy = selection.remedy
    known = targets.get(remedy.task)
    if isinstance(known, UpkeeperError):
        reason = f"the targets cannot be told now: {known}"
        return _Turn(Decision("blocked", reason, selection, guard="targets"), now + UNKNOWN_FOR, next_too=True)
    selection = by_container(selection, known or ())
    missing = no_target(selection, known)
    if missing is not None:
        return _Turn(Decision("no-target", missing, selection), next_too=True)
    asked = ask(selection)
    block = asked.judgement.first
    if block is not None:
        return _held(block, selection, asked, now)
    if remedy.autonomy == "observe":
        reason = f"remedy {remedy.name} only observes: the plan is recorded, nothing is done"
        return _Turn(Decision("observe", reason, selection))
    waits = "; a person must approve its plan" if remedy.autonomy == "approve" else ""
    return _Turn(Decision("run", _why_now(remedy, tried, now) + waits, selection))


def no_target(selection: Selection, known: Collection[str] | None) -> str | None:
    """Why there is no target to work on; None if there is one."""
    remedy, target = selection.remedy, selection.target
    if known is None:
        return f"task {remedy.task} is not available here"
    if target in known:
        return None
    if target is None:
        return selection.why_none
    where = f"label {remedy.target_label}" if remedy.target_label and remedy.targets is None else "the remedy"
    return f"{where} names no configured target of {remedy.task}"


def blocked(selection: Selection, block: Block) -> Decision:
    """A guard blocks the remedy's turn."""
    return Decision("blocked", block.reason, selection, guard=block.guard)


def _held(first: Block, selection: Selection, asked: Asked, now: float) -> _Turn:
    """A turn that the guards hold back. The next remedy waits where a run on the same target may yet end the alert."""
    decision = blocked(selection, first)
    if first.guard == IN_FLIGHT.name:
        return _Turn(decision, first.until)
    due = asked.judgement.over_at
    if selection.remedy.autonomy != "observe" and asked.last is not None and asked.last.helped:
        settled = asked.last.finished_at + selection.remedy.settle
        if now < settled:
            return _Turn(decision, settled if due is None else min(due, settled))
    return _Turn(decision, due, next_too=True)


def _settled_at(tried: Sequence[Try], selections: Sequence[Selection]) -> float:
    """Until when the alert may still end by the last run for it."""
    last = next((one for one in tried if one.outcome not in UNTOUCHED), None)
    remedy = next((each.remedy for each in selections if last is not None and each.remedy.name == last.remedy), None)
    if last is None or last.ended_at is None or remedy is None:
        return 0.0
    if last.outcome in ("ineffective", "failed") and len(selections) == 1:
        return 0.0
    return last.ended_at + remedy.settle


def _own(remedy: Remedy, tried: Sequence[Try]) -> Sequence[Try]:
    """The remedy's own tries. What it did while it only observed is none of them once it acts."""
    observing = remedy.autonomy == "observe"
    return [one for one in tried if one.remedy == remedy.name and one.dry_run == observing]


def _last_tried(remedy: Remedy, tried: Sequence[Try]) -> float:
    return next((one.ended_at or 0.0 for one in _own(remedy, tried)), 0.0)


def _again_at(remedy: Remedy, tried: Sequence[Try]) -> float:
    """From when on the remedy may have another turn for the same alert.

    Where it has nothing to do although the alert fires, it looks less and less often, up to once an hour.
    """
    own = _own(remedy, tried)
    if not own:
        return 0.0
    ended = own[0].ended_at or 0.0
    if remedy.autonomy == "observe":
        return ended + OBSERVE_AGAIN
    if own[0].outcome == "denied" or own[0].by_person:
        return ended + DENIED_AGAIN
    idle = sum(1 for _ in takewhile(lambda one: one.outcome in UNTOUCHED, own))
    if not idle:
        return ended + remedy.cooldown
    first = max(remedy.cooldown, remedy.settle, AGAIN_SOONEST)
    return ended + min(first * 2.0 ** min(idle - 1, 10), max(first, HOUR))


def _why_now(remedy: Remedy, tried: Sequence[Try], now: float) -> str:
    """Why it is the remedy's turn, for people."""
    if not tried or tried[0].ended_at is None:
        return f"remedy {remedy.name} matches"
    last = tried[0]
    since = format_duration(max(1, round(now - (last.ended_at or now))))
    by = "its" if last.remedy == remedy.name else f"{last.remedy}'s"
    return (
        f"remedy {remedy.name} matches, and the alert still fires {since} after {by} run {last.run_id} ({last.outcome})"
    )


def _soon(due: float, now: float) -> float:
    return max(due, now + LOOK_SOONEST)


def by_container(selection: Selection, known: Collection[str]) -> Selection:
    """A label that names a container means that container, also where a service has the same name."""
    qualified = f"{CONTAINER_TARGET}{selection.target}"
    if selection.remedy.target_label in CONTAINER_LABELS and qualified in known:
        return replace(selection, target=qualified)
    return selection
