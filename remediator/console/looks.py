"""What a form asks to see: what would be done. Each changes nothing and records nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from remediator.api.operations import Operations
from remediator.model.errors import RequestError, bad_request

Read = Callable[[Operations, Mapping[str, str]], Awaitable[Mapping[str, Any]]]

RESTORE = "restore"
"""The task."""


@dataclass(frozen=True)
class Look:
    """A page that answers a form. read: raises RequestError."""

    title: str
    template: str
    read: Read


async def restore(ask: Operations, fields: Mapping[str, str]) -> Mapping[str, Any]:
    """What a restore of a set to a place would do, or why it would not be done. The set is ``SERIES/NAME``."""
    series, _, name = fields.get("set", "").partition("/")
    if not series or not name:
        raise bad_request("choose a set")
    to, only = fields.get("to", "").strip(), fields.get("only", "").split()
    asked = {"set": name, "to": to, **({"only": only} if only else {})}
    found, problem = None, "" if to else "say where to: a directory with its whole path, or the name of a new database"
    if to:
        try:
            found = await ask.plan(RESTORE, series, asked)
        except RequestError as error:
            problem = str(error)
    given = {"set": f"{series}/{name}", "to": to, "only": " ".join(only)}
    shown = {"series": series, "name": name, "found": found, "problem": problem, "given": given}
    return {**shown, "sets": await ask.sets()}


LOOKS: Mapping[str, Look] = {"/restore": Look("Restore, as a dry run", "restore.html", restore)}
"""By their paths below the console's. Each takes a POST of an operator: a plan can be long work for the machine."""
