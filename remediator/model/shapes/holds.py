"""What stops runs: pauses and breakers."""

from typing_extensions import TypedDict

from remediator.model.shapes.callers import CallerView


class PauseView(TypedDict):
    """A pause in force. A null task means all tasks; a null ``until`` means until somebody resumes.

    ``silenced``: people are not told of its alerts meanwhile.
    """

    host: str
    task: str | None
    caller: CallerView
    reason: str
    since: str
    until: str | None
    silenced: bool


class BreakerView(TypedDict):
    """An open breaker."""

    task: str
    target: str
    since: str
