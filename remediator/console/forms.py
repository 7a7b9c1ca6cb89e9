"""What can be done from the console: each form asks one operation, and says what came of it on the next page."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from exporter.base.units import parse_duration
from remediator.api.operations import DIGITS, Operations
from remediator.model.errors import bad_request

Fields = Mapping[str, str]
Done = tuple[str, str]
"""What to say, and the page below the console's to say it on."""
Act = Callable[[Operations, Fields], Awaitable[Done]]

VERDICTS: Mapping[str, Literal["approve", "deny"]] = {"approve": "approve", "deny": "deny"}

FORMS: dict[str, Act] = {}
"""By their paths below the console's. Each takes a POST, and raises RequestError."""


def form(path: str) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        FORMS[path] = act
        return act

    return add


@form("/answer")
async def answer(ask: Operations, fields: Fields) -> Done:
    """Approves or denies the plan that was looked at."""
    verdict = VERDICTS.get(fields.get("verdict", ""))
    if verdict is None:
        raise bad_request("choose to approve or to deny")
    given = await ask.decide_approval(
        _number(fields, "id"), verdict, fields.get("plan_hash", ""), reason=fields.get("reason", "")
    )
    return f"{given['task']} on {given['target']}: {given['state']}.", f"/runs/{given['run']}"


@form("/start")
async def start(ask: Operations, fields: Fields) -> Done:
    """Starts a run, or plans one."""
    dry = fields.get("how") == "plan"
    run = await ask.start_run(fields.get("task", ""), fields.get("target", ""), dry_run=dry)
    return ("Planning; nothing is changed." if dry else "Started."), f"/runs/{run['id']}"


@form("/cancel")
async def cancel(ask: Operations, fields: Fields) -> Done:
    run = await ask.cancel_run(_number(fields, "id"), reason=fields.get("reason", ""))
    return "Cancelled: no other action of it begins.", f"/runs/{run['id']}"


@form("/pause")
async def pause(ask: Operations, fields: Fields) -> Done:
    """Holds everything back, or one task, for a time that always ends."""
    try:
        seconds = parse_duration(fields.get("for", ""))
    except ValueError as error:
        raise bad_request(str(error)) from error
    if not isinstance(seconds, int | float) or seconds <= 0:
        raise bad_request("say for how long, for example 2h")
    reason = fields.get("reason", "").strip() or "from the console"
    await ask.pause(fields.get("task") or None, reason, seconds)
    return "Paused.", "/"


@form("/resume")
async def resume(ask: Operations, fields: Fields) -> Done:
    await ask.resume(fields.get("task") or None)
    return "Resumed.", "/"


@form("/close-breaker")
async def close_breaker(ask: Operations, fields: Fields) -> Done:
    await ask.close_breaker(fields.get("task", ""), fields.get("target", ""))
    return "The breaker is closed.", "/"


@form("/reset-autonomy")
async def reset_autonomy(ask: Operations, fields: Fields) -> Done:
    level = await ask.reset_autonomy(fields.get("remedy", ""))
    return f"{level['remedy']} is at {level['autonomy']} again, as the config says.", "/remedies"


def _number(fields: Fields, name: str) -> int:
    text = fields.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS:
        raise bad_request(f"{name} must be a number")
    return int(text)
