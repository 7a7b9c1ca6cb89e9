"""Following a rollout until it is over, or has stopped."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from remediator.api.operations import Operations
from remediator.model.errors import EXIT_BLOCKED, EXIT_FAILED, EXIT_UNREACHABLE, ClientError
from remediator.model.shapes.rollouts import RolloutView
from upkeeper.client.follow import PATIENCE

INTERVAL = 1.0
"""Seconds between two requests."""


def exit_code(rollout: RolloutView) -> int:
    """The exit status for a rollout that is over."""
    return {"done": 0, "cancelled": EXIT_BLOCKED}.get(rollout["state"], EXIT_FAILED)


async def follow(
    client: Operations, seen: RolloutView, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[RolloutView]:
    """The rollout, again and again until nothing of it goes on. Raises ClientError."""
    yield seen
    last_answer = clock()
    while seen["finished_at"] is None:
        await asyncio.sleep(INTERVAL)
        try:
            assert seen["id"] is not None
            seen = await client.rollout(seen["id"])
        except ClientError as error:
            if error.exit_code != EXIT_UNREACHABLE or clock() - last_answer > PATIENCE:
                raise
            continue
        last_answer = clock()
        yield seen
