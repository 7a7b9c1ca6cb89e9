"""What can be done from the console: each form asks one operation, and says what came of it on the next page."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Literal

from exporter.base.units import parse_duration
from remediator.api.operations import DIGITS, Operations
from remediator.model.errors import bad_request
from remediator.model.shapes.tasks import ParameterView

Fields = Mapping[str, str]
Done = tuple[str, str]
"""What to say, and the page below the console's to say it on."""
Act = Callable[[Operations, Fields], Awaitable[Done]]

VERDICTS: Mapping[str, Literal["approve", "deny"]] = {"approve": "approve", "deny": "deny"}

LEVELS: Mapping[str, Literal["approve", "auto"]] = {"approve": "approve", "auto": "auto"}

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
    task = fields.get("task", "")
    known = {one["name"]: one["parameters"] for one in (await ask.tasks())["items"]} if "parameters" in fields else {}
    params = given_of(known.get(task, ()), fields)
    run = await ask.start_run(task, fields.get("target", ""), dry_run=dry, params=params)
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


@form("/promote")
async def promote(ask: Operations, fields: Fields) -> Done:
    """Lets a remedy do what its track suggested on the page, once somebody has confirmed that."""
    autonomy = LEVELS.get(fields.get("autonomy", ""))
    if autonomy is None:
        raise bad_request("a remedy is promoted to approve or to auto")
    if fields.get("sure") != "yes":
        raise bad_request("nothing was done: confirm what the remedy may do from now on")
    level = await ask.promote(fields.get("remedy", ""), autonomy)
    return f"{level['remedy']} is at {level['autonomy']} from now on.", "/remedies"


def given_of(parameters: Sequence[ParameterView], fields: Fields) -> dict[str, object]:
    """What a form gave of a task's parameters, without what stands in it as the form had it. Pure. Raises RequestError
    for one that is missing, and where the form was made for others; whether the values are right the task says.

    Fields are numbered in the order of the names in the field ``parameters``.
    """
    if "parameters" in fields and fields["parameters"] != names_of(parameters):
        raise bad_request("the task has other parameters by now; nothing was done")
    found = ((one, _given(one, fields.get(f"parameter.{number}"))) for number, one in enumerate(parameters, 1))
    return {one["name"]: value for one, value in found if value is not None}


def _given(one: ParameterView, text: str | None) -> object:
    """What a field gives; None for what the task does without it. text: None where the form had no such field, as is
    so for a box without its tick.

    Only what the field showed is left out: text that merely looks like a default (``None``, ``[]``) is a value.
    """
    missing = bad_request(f"say {one['name']}: {one['description'] or 'it has to be given'}")
    match one["kind"]:
        case "flag":
            value = bool(text)
            if one["required"] and not value:
                raise missing
            return None if value == bool(one["default"]) and not one["required"] else value
        case "words":
            words = (text or "").split()
            if one["required"] and not words:
                raise missing
            return words or None
        case "choice":
            no_choice = text is None or (not text and "" not in one["choices"])
            if one["required"] and no_choice:
                raise missing
            return None if no_choice or (text == shown_of(one) and not one["required"]) else text
        case _:
            typed = (text or "").strip()
            had = shown_of(one).strip()
            # What was taken out of a field is no wish for what stood there.
            if not typed and (one["required"] or (text is not None and had)):
                raise missing
            return typed if typed and (typed != had or one["required"]) else None


def shown_of(one: ParameterView) -> str:
    """What the field of a parameter holds before anybody has changed it. Pure. Lists are always typed anew."""
    default = one["default"]
    if default is None or one["kind"] in ("words", "flag"):
        return ""
    return str(default) if one["kind"] != "choice" or str(default) in one["choices"] else ""


def names_of(parameters: Iterable[ParameterView]) -> str:
    """What stands in a form for which parameters it was made."""
    return " ".join(one["name"] for one in parameters)


def _number(fields: Fields, name: str) -> int:
    text = fields.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS:
        raise bad_request(f"{name} must be a number")
    return int(text)
