"""What became of changes, by what is installed before and after: exit statuses tell too little. Pure."""

from collections.abc import Sequence

from exporter.base.text import counted
from remediator.model.task import Effect, TaskError
from remediator.tasks.packages.manager import Change, State, Worked

_NAMED = 5


def judge(changes: Sequence[Change], before: State, after: State, worked: Worked, more: str = "") -> Effect:
    """more: what else to say, as a sentence without its full stop. Raises TaskError where nothing came of it."""
    reached = [one for one in changes if _is_reached(one, after)]
    new = [one for one in reached if not _is_reached(one, before)]
    missed = [one for one in changes if one not in reached]
    failed = [one for one in missed if one.name not in worked.left_alone]
    said = [_done(new)] if new else []
    stuck = [_stuck(one, after) for one in failed]
    if stuck and worked.complaint:
        stuck[0] += f" ({worked.complaint})"
    left = [f"{name} was left alone, as {why}" for name, why in worked.left_alone.items()]
    beside = beside_the_plan(changes, before, after)
    told = [*said, *_some(stuck), *_some(left), *([f"beside the plan: {beside}"] if beside else [])]
    if worked.kept:
        told.append(f"changed configuration files were kept, the new ones are {', '.join(worked.kept)}")
    freed = max(0, -sum(one.installed_bytes for one in new if not one.candidate))
    if not new:
        if failed:
            raise TaskError("; ".join(_some(stuck)))
        return Effect(state="skipped", detail="; ".join(told) or "all of it was there already")
    told += [more] if more else []
    return Effect(state="partial" if failed else "done", detail="; ".join(told), freed_bytes=freed)


def _is_reached(change: Change, state: State) -> bool:
    if not change.candidate:
        return not state.version(change.name)
    return state.version(change.name) == change.candidate and not state.packages[change.name].broken


def _done(new: Sequence[Change]) -> str:
    gone, there = [one for one in new if not one.candidate], [one for one in new if one.candidate]
    said = [f"{counted(len(there), 'package')} updated"] if there else []
    return " and ".join([*said, *([f"{counted(len(gone), 'package')} removed"] if gone else [])])


def _stuck(change: Change, after: State) -> str:
    now = after.version(change.name)
    if not change.candidate:
        return f"{change.name} is still there"
    if now == change.candidate:
        return f"{change.name} {now} is {after.packages[change.name].broken}"
    return f"{change.name} is still {now or 'not installed'}"


def beside_the_plan(changes: Sequence[Change], before: State, after: State) -> str:
    """What else has another version now, which somebody else did; empty for nothing."""
    planned = {one.name for one in changes}
    other = [
        f"{name} {before.version(name) or 'new'} -> {after.version(name) or 'gone'}"
        for name in sorted({*before.packages, *after.packages} - planned)
        if before.version(name) != after.version(name)
    ]
    return ", ".join(_some(other))


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _NAMED
    return [*lines[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
