"""Who asked for something, and how."""

from contextvars import ContextVar
from dataclasses import dataclass

from remediator.model.words import BY_HAND, Trigger


@dataclass(frozen=True)
class Caller:
    """name: of the remedy, job, operator or token, or the number of the parent run; empty where it is not known."""

    trigger: Trigger
    name: str = ""

    @property
    def remedy(self) -> str | None:
        """The remedy that an alert asked through; None for every other trigger."""
        return self.name if self.trigger == "alert" else None

    @property
    def by_hand(self) -> bool:
        """A person asked, who is there to see what comes of it."""
        return self.trigger in BY_HAND


ASKING: ContextVar[Caller | None] = ContextVar("ASKING", default=None)
"""Who asks for what is being done, where requests of several are answered; set for each request."""

COMMAND_LINE = "upkeeper-command"
"""The user agent of ``upkeeper`` at the API. It is what a client says of itself: it shows how, and allows nothing."""

COMMAND = Caller("cli")
NOT_WRITTEN_DOWN = Caller("api")
"""For what was asked for before callers were recorded."""
