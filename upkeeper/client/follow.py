"""Following a run until it is finished, or waits for a person."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from remediator.api.operations import Operations
from remediator.model.errors import EXIT_BLOCKED, EXIT_FAILED, EXIT_UNREACHABLE, ClientError
from remediator.model.shapes.runs import RunView
from remediator.progress import in_words

INTERVAL = 0.2
"""Seconds between two requests for a run."""
PATIENCE = 30.0
"""Seconds that a remediator may be unreachable, as during a restart, after which it resumes the run."""

_EXIT_CODES = {
    "effective": 0,
    "nothing-to-do": 0,
    "planned": 0,
    "blocked": EXIT_BLOCKED,
    "denied": EXIT_BLOCKED,
    "expired": EXIT_BLOCKED,
}


def exit_code(run: RunView) -> int:
    """The exit status for a run: any outcome that is not known to be good is a failure."""
    return EXIT_BLOCKED if run["state"] == "waiting" else _EXIT_CODES.get(run["outcome"] or "", EXIT_FAILED)


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    state: str
    ended: int
    """Actions that are done (also in part), skipped or failed."""
    total: int
    freed_bytes: int
    part: str = ""
    """Of a composite: the task whose turn it is."""
    within: str = ""
    """Of the action under way: how far it is, in words."""

    @classmethod
    def of(cls, run: RunView) -> "Progress":
        ended = sum(action["state"] in ("done", "partial", "skipped", "failed") for action in run["actions"])
        turn = next((action["object"] for action in run["actions"] if action["state"] == "running"), "")
        part = turn if run["state"] == "running" else ""
        within = in_words(run["progress"], run["actions"]) if "progress" in run else ""
        return cls(run["state"], ended, len(run["actions"]), run["freed_bytes"], part, within)

    def worth_a_line(self, last: "Progress | None") -> bool:
        """Whether a log of the run needs a line after the last one: a new state or part, or a tenth more actions."""
        if last is None or last.state != self.state or (last.total, last.part) != (self.total, self.part):
            return True
        tenth = max(1, self.total // 10)
        return self.ended // tenth > last.ended // tenth


async def follow(
    client: Operations, run: RunView, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[RunView]:
    """The run, again and again until nothing goes on by itself. Raises ClientError."""
    yield run
    last_answer = clock()
    while run["state"] not in ("waiting", "finished"):
        await asyncio.sleep(INTERVAL)
        try:
            run = await client.run(run["id"])
        except ClientError as error:
            if error.exit_code != EXIT_UNREACHABLE or clock() - last_answer > PATIENCE:
                raise
            continue
        last_answer = clock()
        yield run


async def finish(client: Operations, run: RunView) -> RunView:
    """The run once it is finished, or waits for a person. Raises ClientError."""
    async for seen in follow(client, run):
        run = seen
    return run
