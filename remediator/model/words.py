"""The words of the record and of the API, each with its one list."""

from typing import Literal

Trigger = Literal["alert", "schedule", "cli", "api", "console", "chat", "run"]
"""How something was asked for."""

BY_HAND: tuple[Trigger, ...] = ("cli", "api", "console", "chat")
"""By a person, who is there to see what comes of it."""

ApprovalState = Literal["asked", "approved", "denied", "expired", "cancelled", "superseded"]
"""What became of a request for approval. ``cancelled``: its alert ended, or its run was cancelled; ``superseded``: the
plan changed.
"""

DueState = Literal["waiting", "running", "ran", "blocked", "missed", "skipped"]
"""What became of a due time. ``waiting``: a guard blocks, and it is tried again; ``blocked``: it was given up;
``missed``: nobody was there to run it; ``skipped``: it was not to run.
"""

Verdict = Literal["run", "observe", "blocked", "no-target", "unmatched", "no-host"]
"""What was decided about an alert. ``no-host``: its labels name no host of the fleet."""

RunState = Literal["queued", "measuring", "planning", "waiting", "running", "applying", "verifying", "finished"]
"""How far a run has come. ``waiting``: its plan waits for a person; nothing goes on by itself.
``running``, of a composite: its children are under way, and it holds no worker.
"""

Outcome = Literal[
    "effective",
    "ineffective",
    "inconclusive",
    "failed",
    "nothing-to-do",
    "planned",
    "blocked",
    "denied",
    "expired",
    "cancelled",
]
"""How a run ended. ``inconclusive``: it could not be measured, or it was too soon to tell."""

Step = Literal[
    "accepted", "decided", "begun", "planned", "asked", "approved", "denied", "expired", "cancelled", "superseded",
    "action", "part", "verified", "ended",
]  # fmt: skip
"""Of a run's timeline. ``asked``: a person, about its plan; the next five are what became of that."""
ProgressUnit = Literal["bytes", "files", "percent"]
ActionState = Literal["planned", "running", "done", "partial", "skipped", "failed"]

ON_JOURNAL = (
    "the database that hosts share is away: this host goes on by itself, with its own alerts and schedule, on a journal"
)
TELLING_NOBODY = "WATCHING, TELLING NOBODY: no alert reaches a person until `notify:` in the config names one"
