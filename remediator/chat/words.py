"""What messages say. Pure."""

from exporter.base.text import counted, parse_time
from exporter.base.units import format_bytes
from exporter.base.visible import visible
from remediator.model.shapes.approvals import ApprovalDetail
from remediator.model.shapes.callers import CallerView

MOST_ACTIONS = 10
LONGEST = 3000
"""Characters of a message; every service takes more."""
_LONGEST_LINE = 300


def question(asked: ApprovalDetail) -> str:
    """What is to be approved, and why a person must."""
    lines = [f"{asked['task']} on {asked['target']} ({asked['host']}) waits for you", asked["why"], ""]
    actions = asked["plan"]["actions"]
    for action in actions[:MOST_ACTIONS]:
        gain = f" ({format_bytes(action['estimated_bytes'])})" if action["estimated_bytes"] else ""
        lines.append(f"- {action['kind']} {action['object']}{gain}")
    if len(actions) > MOST_ACTIONS:
        lines.append(f"and {counted(len(actions) - MOST_ACTIONS, 'action')} more")
    until = parse_time(asked["expires_at"]).strftime("%Y-%m-%d %H:%M UTC")
    lines += ["", f"Plan {asked['plan_hash'][:12]}, until {until}"]
    return _bounded(lines)


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
    return _bounded(lines)


def _who(by: CallerView) -> str:
    return f"{by['name']} ({by['trigger']})" if by["name"] else by["trigger"]


def said(text: str) -> str:
    """What is told to one person about his answer."""
    return _bounded([text])


def _bounded(lines: list[str]) -> str:
    """Each on one line, whatever is in it: a name must not look like a line of ours."""
    shown = [visible(line) for line in lines]
    text = "\n".join(line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…" for line in shown)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
