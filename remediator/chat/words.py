"""What messages say. Pure."""

from collections.abc import Sequence

from exporter.base.text import counted, parse_time
from exporter.base.units import format_bytes
from exporter.base.visible import visible
from remediator.model.shapes.approvals import ApprovalDetail
from remediator.model.shapes.callers import CallerView

MOST_ACTIONS = 10
LONGEST = 2900
"""Bytes of a message as UTF-8; every service takes as many."""
LONGEST_LINE = 400
"""Bytes of each of its lines: no name makes so long a line that another is not seen."""


def question(asked: ApprovalDetail) -> str:
    """What is to be approved, and why a person must. However long it is, it says how much of the plan is not shown."""
    head = [f"{asked['task']} on {asked['target']} ({asked['host']}) waits for you", asked["why"], ""]
    until = parse_time(asked["expires_at"]).strftime("%Y-%m-%d %H:%M UTC")
    tail = ["", f"Plan {asked['plan_hash'][:12]}, until {until}"]
    actions = asked["plan"]["actions"]
    shown: list[str] = []
    for action in actions[:MOST_ACTIONS]:
        gain = f" ({format_bytes(action['estimated_bytes'])})" if action["estimated_bytes"] else ""
        shown.append(f"- {action['kind']} {action['object']}{gain}")
        if _size(_lines([*head, *shown, _more(len(actions)), *tail])) > LONGEST:
            shown.pop()
            break
    left = len(actions) - len(shown)
    return "\n".join(_lines([*head, *shown, *([_more(left)] if left else []), *tail]))


def _more(count: int) -> str:
    return f"and {counted(count, 'action')} more"


def outcome(asked: ApprovalDetail, ended: str | None, reason: str) -> str:
    """What came of it. ended, reason: of the run, once it has ended."""
    first = f"{asked['task']} on {asked['target']} ({asked['host']}): {asked['state']}"
    by = asked["by"]
    if by is not None:
        first += f" by {_who(by)}"
    lines = [first]
    if asked["reason"] and asked["state"] != "approved":
        lines.append(asked["reason"])
    if ended is not None and asked["state"] == "approved":
        lines.append(f"{ended}: {reason}")
    lines.append(f"Plan {asked['plan_hash'][:12]}")
    return "\n".join(_lines(lines))


def _who(by: CallerView) -> str:
    return f"{by['name']} ({by['trigger']})" if by["name"] else by["trigger"]


def said(text: str) -> str:
    """What is told to one person about his answer."""
    return "\n".join(_lines([text]))


def _lines(lines: Sequence[str]) -> Sequence[str]:
    """Each on one line, whatever is in it: a name must not look like a line of ours."""
    return [_cut(visible(line)) for line in lines]


def _cut(line: str) -> str:
    raw = line.encode()
    return line if len(raw) <= LONGEST_LINE else raw[: LONGEST_LINE - 3].decode(errors="ignore") + "…"


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
