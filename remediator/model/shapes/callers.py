"""Who asked for something."""

from typing_extensions import TypedDict

from remediator.model.words import Trigger


class CallerView(TypedDict):
    """Who asked for something, and how. ``name``: of the remedy, job, operator or token, or the number of the parent
    run; empty where it was not written down.
    """

    trigger: Trigger
    name: str
