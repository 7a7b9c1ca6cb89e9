"""What a composite run does next, and what became of it. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from exporter.base.text import counted
from remediator.model.outcomes import HELD_BACK, WELL, together
from remediator.model.parts import Child, PartState
from remediator.model.run import ActionResult
from remediator.model.taskfacts import Part
from remediator.model.words import Outcome
from remediator.runs.verify import Conclusion


@dataclass(frozen=True)
class Start:
    """A part's runs are to be made."""

    part: PartState


@dataclass(frozen=True)
class End:
    """A part is over."""

    part: PartState
    result: ActionResult


@dataclass(frozen=True)
class Wait:
    """Runs are under way: their end goes on with it."""


@dataclass(frozen=True)
class Finish:
    """The parent is over."""

    conclusion: Conclusion


Step = Start | End | Wait | Finish


def next_step(
    parts: Sequence[Part], states: Sequence[PartState], children: Sequence[Child], cancelled: str | None = None
) -> Step:
    """One part after the other, in their order. states: of each of the parts. cancelled: who has cancelled it and why.

    A part that needs others is left out unless all of them went well.
    """
    for state in states:
        if state.state == "running":
            mine = [child for child in children if child.task == state.task]
            return End(state, result_of(mine)) if all(child.outcome is not None for child in mine) else Wait()
    waiting = next((state for state in states if state.state == "planned"), None)
    if waiting is None:
        end = conclusion(parts, states, children)
        return Finish(end if cancelled is None else Conclusion("cancelled", f"{cancelled}; {end.reason}"))
    if cancelled is not None:
        return End(waiting, ActionResult("skipped", "the run was cancelled before it began"))
    lacking = _lacking(parts, waiting, states)
    if lacking:
        return End(waiting, ActionResult("skipped", f"it needs {lacking}, which did not go well"))
    return Start(waiting)


def _lacking(parts: Sequence[Part], part: PartState, states: Sequence[PartState]) -> str:
    """The first part that this one needs and that was not done."""
    needs = next((each.needs for each in parts if each.task == part.task), ())
    done = {state.task for state in states if state.state == "done"}
    return next((task for task in needs if task not in done), "")


def result_of(children: Sequence[Child]) -> ActionResult:
    """What became of a part whose runs have all ended."""
    if not children:
        return ActionResult("skipped", "runs of it were under way already")
    outcomes = [child.outcome for child in children if child.outcome is not None]
    freed = sum(child.freed_bytes for child in children)
    bad = [child for child in children if child.outcome not in WELL]
    if not bad:
        return ActionResult("done", together(outcomes), freed)
    named = "; ".join(f"run {child.id} on {child.target}: {child.outcome}" for child in bad[:3])
    more = f" (and {len(bad) - 3} more)" if len(bad) > 3 else ""
    if len(bad) < len(children):
        return ActionResult("partial", named + more, freed)
    held_back = all(child.outcome in HELD_BACK for child in bad)
    return ActionResult("skipped" if held_back else "failed", named + more, freed)


def conclusion(parts: Sequence[Part], states: Sequence[PartState], children: Sequence[Child]) -> Conclusion:
    """The outcome of the parent: the worst of its children's; and what was left out, which no child stands for."""
    outcomes: list[Outcome] = [child.outcome for child in children if child.outcome is not None]
    bad = [f"{child.task} on {child.target} {child.outcome}" for child in children if child.outcome not in WELL]
    ran = {child.task for child in children}
    left = [state for state in states if state.state == "skipped" and state.task not in ran]
    if any(_stopped(parts, state, ran) for state in left):
        outcomes.append("blocked")
    run = counted(len(children), "run")
    said = [f"{run}, all well" if not bad else f"{run}; {', '.join(bad[:3])}{'...' if len(bad) > 3 else ''}"]
    if left:
        said.append(f"left out: {', '.join(state.task for state in left)}")
    return Conclusion(together(outcomes), "; ".join(said) if children or left else "it has no parts")


def _stopped(parts: Sequence[Part], state: PartState, ran: Collection[str]) -> bool:
    """Whether a part was left out because of another one that ran and did not go well."""
    needs = next((each.needs for each in parts if each.task == state.task), ())
    return any(task in ran for task in needs)
